/**
 * Something that gives items in steps until it is closed. Waiting and taking are apart, so that a subscriber that waits holds
 * one promise: ten thousand of them wait for each event, and what they hold meanwhile has to be copied and collected.
 */
export interface StepSource<T> {
  /** Resolves when there may be a step to take, or the end. One at a time. */
  arrival: () => Promise<void>;
  /** After an arrival: what has come, which may be nothing; null at the end. */
  step: () => readonly T[] | null;
  /**
   * The cursor up to which everything was given, or is not to be given; null while there is something to give before it.
   * Absent where items have no cursors.
   */
  position?: () => string | null;
  close: () => void;
}

/** The steps of something that gives them one by one: null at the end. */
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

/** Waits for a step with something in it; null at the end. */
export async function nextStep<T>(source: StepSource<T>): Promise<readonly T[] | null> {
  for (;;) {
    await source.arrival();
    const step = source.step();
    if (step === null || step.length > 0) return step;
  }
}

/**
 * The `[Symbol.asyncIterator]` of an object that is an iterator already. All iterators share this one function: a method
 * written into each object costs that object 170 bytes, because a computed name is built anew each time.
 */
export function selfIterator<T>(this: T): T {
  return this;
}
