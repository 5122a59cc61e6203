/** Turns of those who work on what is at hand, so that whatever else the machine does is not kept waiting for long. */
export interface SpareTime {
  /** Calls back when it is the caller's turn: what that sets off without waiting is its turn. */
  turn: (begin: () => void) => void;
}

export interface SpareTimeOptions {
  /** Whether there is work that goes before. */
  isBusy: () => boolean;
  monotonicMs?: () => number;
  /** Calls back after so many milliseconds, 0 for as soon as everything else at hand is done. */
  after?: (ms: number, run: () => void) => void;
}

/** The longest round of turns: all that comes meanwhile waits for its end. */
const LONGEST_ROUND_MS = 8;
/** How much of the time rounds may take while there is work that goes before. */
const BUSY_SHARE = 0.03;
const FIRST_ROUND = 64;
const MOST_TURNS = 2_048;

/**
 * Gives turns in rounds, each in a turn of the event loop of its own, as many as fit into some milliseconds. While the
 * process is busy they are followed by pauses, the longer the more time they took. That the event loop has nothing to do
 * does not show that there is time to spare: it may be waiting for a database that needs the processor.
 */
export function createSpareTime({
  isBusy,
  monotonicMs = () => performance.now(),
  after = callAfter,
}: SpareTimeOptions): SpareTime {
  let waiting: (() => void)[] = [];
  let size = FIRST_ROUND;
  let isUnderWay = false;

  /** Two callbacks of one phase of the event loop: what the turns set off is done between them, and nothing else. */
  function plan(): void {
    isUnderWay = true;
    let beganMs = 0;
    let turns: (() => void)[] = [];
    after(0, () => {
      beganMs = monotonicMs();
      turns = waiting.slice(0, size);
      waiting = waiting.slice(size);
      for (const begin of turns) begin();
    });
    after(0, () => {
      const tookMs = monotonicMs() - beganMs;
      const fitting = Math.round((turns.length * LONGEST_ROUND_MS) / Math.max(tookMs, 0.01));
      size = Math.min(Math.max(fitting, 1), MOST_TURNS);
      if (isBusy()) after(Math.min(tookMs, LONGEST_ROUND_MS) * (1 / BUSY_SHARE - 1), goOn);
      else goOn();
    });
  }

  function goOn(): void {
    if (waiting.length > 0) plan();
    else isUnderWay = false;
  }

  return {
    turn(begin) {
      waiting.push(begin);
      if (!isUnderWay) plan();
    },
  };
}

function callAfter(ms: number, run: () => void): void {
  if (ms === 0) setImmediate(run);
  else setTimeout(run, ms).unref();
}
