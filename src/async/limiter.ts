/** Lets so many pieces of work run at once, the others one after the other as they came. */
export interface Limiter {
  /** Runs the work when its turn comes. */
  take: <T>(work: () => Promise<T>) => Promise<T>;
  /** The same in two steps: null where the turn has come, else a promise of it; `leave` is to follow. */
  enter: () => Promise<void> | null;
  leave: () => void;
  /** To be called when there may be room again. */
  goOn: () => void;
}

/**
 * @param most pieces of work under way at once
 * @param hasRoom whether there is room for what comes of a further one beside those under way; while there is none, nothing
 * begins
 */
export function createLimiter(most: number, hasRoom: (underWay: number) => boolean = () => true): Limiter {
  const waiting: (() => void)[] = [];
  let underWay = 0;
  let leaving = 0;

  function goOn(): void {
    while (waiting.length > 0 && underWay < most && hasRoom(underWay)) {
      underWay += 1;
      waiting.shift()?.();
    }
  }

  /** Counted in the next turn of the event loop: what came of the work is still on its way to where it takes up room. */
  function leave(): void {
    leaving += 1;
    if (leaving > 1) return;
    setImmediate(() => {
      underWay -= leaving;
      leaving = 0;
      goOn();
    });
  }

  function enter(): Promise<void> | null {
    if (waiting.length > 0 || underWay >= most || !hasRoom(underWay)) {
      return new Promise((resolve) => waiting.push(resolve));
    }
    underWay += 1;
    return null;
  }

  return {
    async take(work) {
      await enter();
      try {
        return await work();
      } finally {
        leave();
      }
    },
    enter,
    leave,
    goOn,
  };
}
