/** Lets callers work in turns, so other work of the process does not wait long. */
export interface CooperativeYield {
  /** Calls back when it is the caller's turn. The turn is the callback and the work that follows without waiting. */
  turn: (begin: () => void) => void;
}

export interface SpareTimeOptions {
  /** Whether more important work exists. */
  isBusy: () => boolean;
  monotonicMs?: () => number;
  /** Calls back after so many milliseconds; 0 means after all other present work. */
  after?: (ms: number, run: () => void) => void;
}

/** How long a round of turns may take. Other work waits for its end. */
const LONGEST_ROUND_MS = 8;
/**
 * How many turns begin before the first look at the time, because a turn may handle one event or hundreds. After
 * that, as many turns follow as fit into the rest of the time, but at most twice as many as before.
 */
const FIRST_SLICE = 8;
/** The most time of one round that counts for the pause after it. In a longer round, something else took the time. */
const LONGEST_COUNTED_MS = 4 * LONGEST_ROUND_MS;
/** The share of time that rounds may take while more important work exists. */
const BUSY_SHARE = 0.03;
/** The most turns of one round. */
const MOST_TURNS = 2_048;

/**
 * Gives turns in rounds. Each round is one turn of the event loop and has as many turns as fit into some
 * milliseconds. While the process is busy, a pause follows each round; a longer round gets a longer pause. An idle
 * event loop does not prove that there is spare time: it may wait for a database that needs the processor.
 */
export function createCooperativeYield({
  isBusy,
  monotonicMs = () => performance.now(),
  after = callAfter,
}: SpareTimeOptions): CooperativeYield {
  let waiting: (() => void)[] = [];
  let isUnderWay = false;

  function plan(): void {
    isUnderWay = true;
    after(0, beginRound);
  }

  /** The turns are callbacks of one phase of the event loop. Only the work that they start runs between them. */
  function beginRound(): void {
    const turns = waiting.slice(0, MOST_TURNS);
    waiting = waiting.slice(MOST_TURNS);
    let begun = 0;
    let beganMs = 0;
    let slice = FIRST_SLICE;

    function beginSlice(): void {
      if (begun === 0) beganMs = monotonicMs();
      else if (begun < turns.length) slice = Math.min(2 * slice, fitting(begun, monotonicMs() - beganMs));
      const end = Math.min(begun + slice, turns.length);
      for (; begun < end; begun += 1) turns[begun]?.();
    }

    for (let planned = 0; planned < turns.length; planned += FIRST_SLICE) after(0, beginSlice);
    after(0, () => {
      waiting = turns.slice(begun).concat(waiting);
      const tookMs = Math.min(monotonicMs() - beganMs, LONGEST_COUNTED_MS);
      if (isBusy()) after(tookMs * (1 / BUSY_SHARE - 1), goOn);
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

/** How many turns more fit into a round. */
function fitting(begun: number, tookMs: number): number {
  const leftMs = LONGEST_ROUND_MS - tookMs;
  return leftMs <= 0 ? 0 : Math.floor((begun * leftMs) / Math.max(tookMs, 0.001));
}

function callAfter(ms: number, run: () => void): void {
  if (ms === 0) setImmediate(run);
  else setTimeout(run, ms).unref();
}
