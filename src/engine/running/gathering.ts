export interface GatheringOptions {
  /** Waits. */
  pause: (ms: number) => Promise<void>;
  /** Milliseconds between the beginnings of two batches; what comes meanwhile is in the second. */
  gatherMs: number;
  /** Whether calls wait for a place that they have soon: then batches gather for {@link PRESSED_GATHERS} times as long. */
  isPressed: () => boolean;
  /** Whether calls that have just begun are under way: the first outcome of many waits for the others, for a moment. */
  areMoreNear: () => boolean;
}

/**
 * Says when a batch of outcomes is to be written: how long it waits for others to join it. What is answered is nothing where
 * it need not wait: then it is written at once.
 */
export interface Gathering {
  /** Before the first batch after a rest. */
  atWakeUp: () => Promise<void> | undefined;
  /** Before each batch, which begins when that has resolved. */
  nextBatch: (isFull: () => boolean) => Promise<void> | undefined;
}

/** While calls wait, what is recorded takes the time of those to come, on either side of the database's socket. */
const PRESSED_GATHERS = 5;
/** For so long the first outcome waits, and looks so often whether there are more to come. */
const NEAR_MS = 20;
const NEAR_LOOK_MS = 5;

export function createGathering({ pause, gatherMs, isPressed, areMoreNear }: GatheringOptions): Gathering {
  let lastBatchMs = -Infinity;

  async function waitForOthers(): Promise<void> {
    for (let waitedMs = 0; waitedMs < NEAR_MS && areMoreNear(); waitedMs += NEAR_LOOK_MS) {
      await pause(NEAR_LOOK_MS);
    }
  }

  /** In several pauses: the pressure may end, or the batch be full. */
  async function gather(isFull: () => boolean): Promise<void> {
    for (let periods = 1; periods <= PRESSED_GATHERS && !isFull(); periods += 1) {
      const waitMs = lastBatchMs + periods * gatherMs - performance.now();
      if (waitMs > 0) await pause(waitMs);
      if (!isPressed()) return;
    }
  }

  function begin(): void {
    lastBatchMs = performance.now();
  }

  return {
    atWakeUp() {
      if (!isPressed()) return areMoreNear() ? waitForOthers() : undefined;
      // Not even the first ones are recorded at once.
      lastBatchMs = performance.now();
      return undefined;
    },
    nextBatch(isFull) {
      const gathersUntilMs = lastBatchMs + gatherMs * (isPressed() ? PRESSED_GATHERS : 1);
      if (performance.now() < gathersUntilMs) return gather(isFull).then(begin);
      begin();
      return undefined;
    },
  };
}
