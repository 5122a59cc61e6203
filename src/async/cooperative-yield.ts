/** Turns of those who work on what is at hand, so that whatever else the machine does is not kept waiting for long. */
export interface CooperativeYield {
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

/** How long a round of turns may take: all that comes meanwhile waits for its end. */
const LONGEST_ROUND_MS = 8;
/**
 * So many turns begin before the time is looked at: what they set off may be one event each, or hundreds. As many follow as fit
 * into what is left of the time, by what turns took so far, but never more than twice as many as before.
 */
const FIRST_SLICE = 8;
/** Of a round that took longer all the same, more is not made up for: something else took the time. */
const LONGEST_COUNTED_MS = 4 * LONGEST_ROUND_MS;
/** How much of the time rounds may take while there is work that goes before. */
const BUSY_SHARE = 0.03;
/** Turns of one round. */
const MOST_TURNS = 2_048;

/**
 * Gives turns in rounds, each in a turn of the event loop of its own, as many as fit into some milliseconds. While the
 * process is busy they are followed by pauses, the longer the more time they took. That the event loop has nothing to do
 * does not show that there is time to spare: it may be waiting for a database that needs the processor.
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

  /** Callbacks of one phase of the event loop: what turns set off is done between them, and nothing else. */
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
