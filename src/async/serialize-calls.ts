/** Runs overlapping calls one after the other, in their order. */
export function serializeCalls<T>(call: () => Promise<T>): () => Promise<T> {
  let last: Promise<unknown> = Promise.resolve();
  let underWay = 0;

  async function run(): Promise<T> {
    try {
      return await call();
    } finally {
      underWay -= 1;
    }
  }

  return () => {
    underWay += 1;
    const result = underWay === 1 ? run() : last.then(run, run);
    last = result;
    return result;
  };
}
