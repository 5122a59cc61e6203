/** Answers what the parent process asks of this one, until it is killed. Its own `hello` shows that it is there. */
export function answer(handle: (request: never) => unknown): void {
  process.on('message', ({ id, request }: { id: number; request: { kind: string } }) => {
    const reply = (message: object) => process.send?.({ id, ...message });
    if (request.kind === 'hello') {
      reply({ answer: null });
      return;
    }
    Promise.resolve()
      .then(() => handle(request as never))
      .then(
        (result) => reply({ answer: result ?? null }),
        (error: unknown) => reply({ error: error instanceof Error ? error.message : String(error) }),
      );
  });
  process.on('disconnect', () => process.exit());
}
