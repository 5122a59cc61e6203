/** Lets so many pieces of work run at once, the others one after the other as they came. */
export interface Turns {
  /** Runs the work when its turn comes. */
  take: <T>(work: () => Promise<T>) => Promise<T>;
  /** To be called when there may be room again. */
  goOn: () => void;
}

/**
 * @param most pieces of work under way at once
 * @param hasRoom whether there is room for what comes of a further one; while there is none, nothing begins
 */
export function createTurns(most: number, hasRoom: () => boolean = () => true): Turns {
  const waiting: (() => void)[] = [];
  let underWay = 0;

  function goOn(): void {
    while (waiting.length > 0 && underWay < most && hasRoom()) {
      underWay += 1;
      waiting.shift()?.();
    }
  }

  function leave(): void {
    underWay -= 1;
    // Not in this turn of the event loop: what came of the work is on its way to where it takes up room.
    if (waiting.length > 0) setImmediate(goOn);
  }

  return {
    take(work) {
      // With nobody before it there is nothing to wait for, and it costs nothing.
      if (waiting.length === 0 && underWay < most && hasRoom()) {
        underWay += 1;
        return work().finally(leave);
      }
      return new Promise<void>((resolve) => {
        waiting.push(resolve);
      })
        .then(work)
        .finally(leave);
    },
    goOn,
  };
}
