/**
 * A source of items in steps, until it is closed. Waiting and taking are separate, so a waiting subscriber holds only
 * one promise. Ten thousand subscribers may wait for each event, and the garbage collector must handle all that they
 * hold.
 */
export interface StepSource<T> {
  /** Resolves when there may be a step or the end. Only one wait at a time. */
  arrival: () => Promise<void>;
  /** The items after an arrival, perhaps none; null at the end. */
  step: () => readonly T[] | null;
  /**
   * The cursor up to which all items were given or need not be given; null while items before it are left. Absent
   * when items have no cursors.
   */
  position?: () => string | null;
  close: () => void;
}

/** The steps of a function that gives them one by one; null at the end. */
export function stepsOf<T>(
  next: () => Promise<readonly T[] | null>,
): Pick<StepSource<T>, 'arrival' | 'step'> {
  let arrived: readonly T[] | null = [];
  return {
    async arrival() {
      arrived = await next();
    },
    step() {
      const step = arrived;
      if (step !== null) arrived = [];
      return step;
    },
  };
}

/** Waits for a step that is not empty; null at the end. */
export async function nextStep<T>(source: StepSource<T>): Promise<readonly T[] | null> {
  for (;;) {
    await source.arrival();
    const step = source.step();
    if (step === null || step.length > 0) return step;
  }
}

/**
 * The `[Symbol.asyncIterator]` of an object that is an iterator already. All iterators share this function: a method
 * of its own costs each object 170 bytes, because of the computed name.
 */
export function selfIterator<T>(this: T): T {
  return this;
}
