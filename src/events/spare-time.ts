/** Turns of those who work on what is at hand, so that whatever else the process does is not kept waiting for long. */
export interface SpareTime {
  /** Resolves when it is the caller's turn: what it then does without waiting is its turn. */
  turn: () => Promise<void>;
}

/** The longest round of turns, where there is nothing else to do. */
const LONGEST_ROUND_MS = 8;
/** Time between two rounds below which nothing else was going on. */
const IDLE_MS = 0.3;
/** How much of the time that everything else takes between two rounds a round may take. */
const SHARE = 0.15;
const FIRST_ROUND = 64;
/** However busy the process is: a few subscribers are always served at once. */
const LEAST_ROUND = 4;
const MOST_ROUND = 2_048;

/**
 * Gives turns in rounds, one round for each turn of the event loop. The size of a round follows the time that the event
 * loop spends between rounds: none, and there is nobody to disturb; more, and rounds take a fraction of it.
 */
export function createSpareTime(monotonicMs: () => number = () => performance.now()): SpareTime {
  const waiting: (() => void)[] = [];
  let size = FIRST_ROUND;
  let isUnderWay = false;
  let endedMs = 0;

  /** Two callbacks of one phase of the event loop: what the turns set off is done between them, and nothing else. */
  function plan(): void {
    isUnderWay = true;
    let beganMs = 0;
    let turns: (() => void)[] = [];
    setImmediate(() => {
      beganMs = monotonicMs();
      turns = waiting.splice(0, size);
      for (const begin of turns) begin();
    });
    setImmediate(() => {
      const betweenMs = beganMs - endedMs;
      endedMs = monotonicMs();
      size = nextSize(turns.length, endedMs - beganMs, betweenMs);
      if (waiting.length > 0) plan();
      else isUnderWay = false;
    });
  }

  return {
    turn: () =>
      new Promise((resolve) => {
        waiting.push(resolve);
        if (isUnderWay) return;
        endedMs = monotonicMs();
        plan();
      }),
  };
}

function nextSize(turns: number, tookMs: number, betweenMs: number): number {
  const mayTakeMs = betweenMs < IDLE_MS ? LONGEST_ROUND_MS : Math.min(betweenMs * SHARE, LONGEST_ROUND_MS);
  const fitting = Math.round((turns * mayTakeMs) / Math.max(tookMs, 0.01));
  return Math.min(Math.max(fitting, LEAST_ROUND), MOST_ROUND);
}
