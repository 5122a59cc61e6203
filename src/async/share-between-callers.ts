/** Callers that come while it runs get its result: probes must not pile up on a database that hangs. */
export function shareBetweenCallers<T>(run: () => Promise<T>): () => Promise<T> {
  let running: Promise<T> | undefined;
  return () =>
    (running ??= run().finally(() => {
      running = undefined;
    }));
}
