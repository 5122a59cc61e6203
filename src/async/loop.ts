/**
 * One repeated piece of work with one way of waiting: until its own next time, or until it is woken. Every part of
 * the engine that runs by itself is one of these, so that a test can step each by hand with `runOnce`.
 */
export interface Loop {
  readonly name: string;
  /**
   * When the step that comes next, or is under way, was or will be due, in milliseconds of the monotonic clock; a step that
   * fails stays due. Null while the loop is not started.
   */
  readonly dueAtMs: number | null;
  start: () => void;
  /** No step begins after this; resolves when the one under way has ended. */
  stop: () => Promise<void>;
  /** Runs a step as soon as possible, after the one under way if there is one. */
  wake: () => void;
  /** Runs one step now, or joins the one under way; throws what it throws. */
  runOnce: () => Promise<void>;
}

export interface LoopOptions {
  name: string;
  /** Does the work; answers in how many milliseconds there is more, unless woken before; Infinity: only when woken. */
  step: () => Promise<number>;
  /** A step that threw is tried again after this long. */
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
      // Not at once: whoever else has something to say in this turn of the event loop is served by the same step.
      else soon ??= setImmediate(tick);
    },
    async runOnce() {
      await run();
    },
  };
}

/** A loop that can do more, or does some of it in another way. A spread alone would keep the `dueAtMs` of this moment. */
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
  // All that it has beyond a loop is in `more`.
  return extended as Extended;
}
