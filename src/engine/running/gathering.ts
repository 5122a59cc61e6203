export interface GatheringOptions {
  /** Waits. */
  pause: (ms: number) => Promise<void>;
  /** Milliseconds between the starts of two batches. Outcomes in between go into the second batch. */
  gatherMs: number;
  /** Whether calls wait for a place that they get soon. Batches then gather {@link PRESSED_GATHERS} times as long. */
  isPressed: () => boolean;
  /** Whether calls are in flight. The first outcome then waits up to {@link NEAR_MS} for theirs. */
  areMoreNear: () => boolean;
}

/** Decides how long a batch of outcomes waits for others. Without an answer the batch is written at once. */
export interface Gathering {
  /** Before the first batch after a rest. */
  atWakeUp: () => Promise<void> | undefined;
  /** Before each batch. The batch begins when the promise resolves. */
  nextBatch: (isFull: () => boolean) => Promise<void> | undefined;
}

/** While calls wait, records take processor time from them, in this process and in the database. */
const PRESSED_GATHERS = 5;
/** How long the first outcome waits, and how often it looks whether more will come. */
const NEAR_MS = 20;
const NEAR_LOOK_MS = 5;

export function createGathering({ pause, gatherMs, isPressed, areMoreNear }: GatheringOptions): Gathering {
  let lastBatchMs = -Infinity;

  async function waitForOthers(): Promise<void> {
    for (let waitedMs = 0; waitedMs < NEAR_MS && areMoreNear(); waitedMs += NEAR_LOOK_MS) {
      await pause(NEAR_LOOK_MS);
    }
  }

  /** Waits in several pauses, because the pressure may end or the batch may be full. */
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
      // Under pressure, even the first outcomes wait.
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
