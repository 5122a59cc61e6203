import type { EventRow } from '../store/events/event-row.ts';

/**
 * The newest events of the log, shared by all subscribers of this instance: one that keeps up reads from here, one that
 * has fallen behind it reads from the log. Holds every event in (floor, tip], so that one look at a position tells
 * which of the two it is.
 */
export interface EventWindow {
  readonly floor: bigint;
  readonly tip: bigint;
  /**
   * Whether what is added is going to be read from here: not while everybody is further behind than the window is sure to
   * reach back, nor, once it was skipped, until somebody has come near to the tip.
   */
  readonly isKeptUpWith: boolean;
  /** Adds events that follow the tip, in order; the oldest leave when the window is full. */
  append: (events: readonly EventRow[]) => void;
  /** The events behind `position`, at most `limit`; `position` must not lie below the floor. */
  after: (position: bigint, limit: number) => readonly EventRow[];
  /** Says that somebody has come to `position`, wherever they read it. */
  reached: (position: bigint) => void;
  /** Drops all events, and goes on behind `position` without those in between. */
  skipTo: (position: bigint) => void;
}

/** Who has come within this part of the window is near to its tip. */
const NEAR_SHARE = 4n;

/** @param capacity events kept; about 500 bytes each */
export function createEventWindow(start: bigint, capacity: number): EventWindow {
  const reach = BigInt(capacity);
  let events: EventRow[] = [];
  let floor = start;
  let tip = start;
  let furthest = start;

  return {
    get floor() {
      return floor;
    },
    get tip() {
      return tip;
    },
    get isKeptUpWith() {
      const behind = tip - furthest;
      return behind <= (furthest >= floor ? reach : reach / NEAR_SHARE);
    },
    append(added) {
      events.push(...added);
      tip = added.at(-1)?.position ?? tip;
      // Cut in big steps: moving the whole array for each event would cost more than the memory is worth.
      if (events.length < 2 * capacity) return;
      const cut = events.length - capacity;
      floor = events[cut - 1]?.position ?? floor;
      events = events.slice(cut);
    },
    after(position, limit) {
      const from = firstBehind(events, position);
      return events.slice(from, from + limit);
    },
    reached(position) {
      if (position > furthest) furthest = position;
    },
    skipTo(position) {
      events = [];
      floor = position;
      tip = position;
    },
  };
}

/** Binary search: the index of the first event whose position is greater. */
function firstBehind(events: readonly EventRow[], position: bigint): number {
  let low = 0;
  let high = events.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const event = events[middle];
    if (event !== undefined && event.position <= position) low = middle + 1;
    else high = middle;
  }
  return low;
}
