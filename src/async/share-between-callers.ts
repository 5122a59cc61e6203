/** Callers during a run get the result of that run. So probes do not pile up on a database that hangs. */
export function shareBetweenCallers<T>(run: () => Promise<T>): () => Promise<T> {
  let running: Promise<T> | undefined;
  return () =>
    (running ??= run().finally(() => {
      running = undefined;
    }));
}
