/**
 * A repeated step with one way of waiting: until its next time, or until somebody wakes it. Every part of the engine
 * that runs by itself is a loop, so a test can step each by hand with `runOnce`.
 */
export interface Loop {
  readonly name: string;
  /**
   * When the current or next step is due, in milliseconds of the monotonic clock. A failed step stays due. Null
   * before the loop starts.
   */
  readonly dueAtMs: number | null;
  start: () => void;
  /** No step begins after this. Resolves when the current step has ended. */
  stop: () => Promise<void>;
  /** Runs a step as soon as possible, after the current one if there is one. */
  wake: () => void;
  /** Runs one step now, or joins the current one. Throws what the step throws. */
  runOnce: () => Promise<void>;
}

export interface LoopOptions {
  name: string;
  /**
   * Does the work. Returns the milliseconds until the next step, unless it is woken before; Infinity: only when
   * woken.
   */
  step: () => Promise<number>;
  /** How long to wait after a step that threw. */
  retryMs?: number;
  onError: (error: unknown) => void;
  monotonicMs?: () => number;
}

/** A Node timer with a longer delay fires at once. */
const MAX_TIMER_MS = 2 ** 31 - 1;

export function createLoop({
  name,
  step,
  retryMs = 1_000,
  onError,
  monotonicMs = () => performance.now(),
}: LoopOptions): Loop {
  let running: Promise<number> | null = null;
  let timer: NodeJS.Timeout | undefined;
  let soon: NodeJS.Immediate | undefined;
  let started = false;
  let wokenDuringStep = false;
  let dueAtMs: number | null = null;

  function run(): Promise<number> {
    running ??= step().finally(() => {
      running = null;
    });
    return running;
  }

  function tick(): void {
    clearTimeout(timer);
    clearImmediate(soon);
    soon = undefined;
    if (!started) return;
    wokenDuringStep = false;
    run().then(rest, (error: unknown) => {
      onError(error);
      rest(retryMs, true);
    });
  }

  function rest(delayMs: number, afterError = false): void {
    if (!started) return;
    const waitMs =
      wokenDuringStep && !afterError ? 0 : Math.min(Math.max(Math.ceil(delayMs), 0), MAX_TIMER_MS);
    if (!afterError) dueAtMs = monotonicMs() + waitMs;
    clearTimeout(timer);
    timer = setTimeout(tick, waitMs);
  }

  return {
    name,
    get dueAtMs() {
      return dueAtMs;
    },
    start() {
      if (started) return;
      started = true;
      dueAtMs = monotonicMs();
      tick();
    },
    async stop() {
      started = false;
      dueAtMs = null;
      clearTimeout(timer);
      await running?.catch(() => undefined);
    },
    wake() {
      if (!started) return;
      dueAtMs = Math.min(dueAtMs ?? Infinity, monotonicMs());
      if (running) wokenDuringStep = true;
      // The step does not begin at once, so one step serves all wake-ups of this turn of the event loop.
      else soon ??= setImmediate(tick);
    },
    async runOnce() {
      await run();
    },
  };
}

/** A loop with more methods, or with some of them replaced. A spread alone would copy the present `dueAtMs`. */
export function extendLoop<Extended extends Loop>(
  loop: Loop,
  more: Omit<Extended, keyof Loop> & Partial<Loop>,
): Extended {
  const extended: Loop = {
    ...loop,
    get dueAtMs() {
      return loop.dueAtMs;
    },
    ...more,
  };
  // `more` has everything that a plain loop does not have.
  return extended as Extended;
}
