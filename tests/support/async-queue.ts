/** What arrives by and by, to be taken one by one. */
export type AsyncQueue<T> = {
  push: (value: T) => void;
  /** Nothing more will come: waiting and later `next` calls reject. */
  end: (reason: Error) => void;
  /** The next one that was not taken yet; waits for it. */
  next: () => Promise<T>;
  /** The next one that fits; what comes before it is dropped. */
  nextWhere: (fits: (value: T) => boolean) => Promise<T>;
  /** Everything so far, taken or not. */
  readonly all: readonly T[];
};

/** Generous, as it is only ever used up by a failure. */
const LIMIT_MS = 15_000;

export function asyncQueue<T>(what: string): AsyncQueue<T> {
  const all: T[] = [];
  let taken = 0;
  let ended: Error | undefined;
  let wake = (): void => undefined;

  async function next(): Promise<T> {
    if (taken >= all.length && !ended) await arrival();
    const value = all[taken];
    if (value === undefined) throw ended ?? new Error(`No ${what} within ${LIMIT_MS} ms`);
    taken += 1;
    return value;
  }

  function arrival(): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, LIMIT_MS);
      wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  return {
    push: (value) => {
      all.push(value);
      wake();
    },
    end: (reason) => {
      ended ??= reason;
      wake();
    },
    next,
    nextWhere: async (fits) => {
      for (;;) {
        const value = await next();
        if (fits(value)) return value;
      }
    },
    all,
  };
}
