/** Lets a limited number of pieces of work run at once. The others wait in their order. */
export interface Limiter {
  /** Runs the work when its turn comes. */
  take: <T>(work: () => Promise<T>) => Promise<T>;
  /**
   * The same in two steps: null when the turn has come, else a promise of it. The caller must call `leave` after the
   * work.
   */
  enter: () => Promise<void> | null;
  leave: () => void;
  /** Call it when there may be room again. */
  goOn: () => void;
}

/**
 * @param most how many pieces of work may run at once
 * @param hasRoom whether there is room for the result of one more; without room nothing begins
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

  /** The end counts in the next turn of the event loop. Only then the result of the work takes up its room. */
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
