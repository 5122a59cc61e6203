import { parseSchedule } from '../../../src/domain/schedule/schedule.ts';
import { slotsAfter, type SlotRule, upcomingSlots } from '../../../src/domain/schedule/schedule-slots.ts';

/** A slot rule with the product's defaults. Throws when the schedule is refused. */
export function ruleFor(text: string, timezone = 'UTC', overrides: Partial<SlotRule> = {}): SlotRule {
  const schedule = parseSchedule(text);
  if (schedule.kind === 'INVALID') throw new Error(schedule.message);
  return {
    schedule,
    timezone,
    anchorAt: new Date(0),
    startAt: null,
    endAt: null,
    dstGapPolicy: 'SHIFT',
    dstOverlapPolicy: 'FIRST',
    ...overrides,
  };
}

/** The next slots as `2026-09-01T12:00:00Z`. */
export function upcoming(rule: SlotRule, after: string, count: number): string[] {
  return upcomingSlots(rule, new Date(after), count).map(isoSeconds);
}

/** The slots in (after, until]. */
export function slotsBetween(rule: SlotRule, after: Date, until: Date): Date[] {
  const slots: Date[] = [];
  for (const slot of slotsAfter(rule, after)) {
    if (slot > until) break;
    slots.push(slot);
  }
  return slots;
}

/** The same as `2026-09-01T12:00:00Z`. */
export function between(rule: SlotRule, after: string, until: string): string[] {
  return slotsBetween(rule, new Date(after), new Date(until)).map(isoSeconds);
}

export function isoSeconds(instant: Date): string {
  return instant.toISOString().replace('.000Z', 'Z');
}

/** A moment at which a zone changes its clock. */
export interface ClockChange {
  readonly timezone: string;
  readonly atMs: number;
  readonly beforeMs: number;
  readonly afterMs: number;
}

const WEEK_MS = 7 * 24 * 3_600_000;

/**
 * The clock changes of a zone from 2015 to 2037, found with Intl week by week: in another way than the code under test.
 * A week is enough, because no zone changes twice within three weeks in these years.
 */
export function clockChanges(timezone: string): ClockChange[] {
  const format = new Intl.DateTimeFormat('en-US', {
    timeZone: timezone,
    hourCycle: 'h23',
    year: 'numeric',
    month: 'numeric',
    day: 'numeric',
    hour: 'numeric',
    minute: 'numeric',
    second: 'numeric',
  });
  const offsetAt = (atMs: number): number => {
    const [month = 0, day = 0, year = 0, hour = 0, minute = 0, second = 0] = (
      format.format(atMs).match(/\d+/g) ?? []
    ).map(Number);
    return Date.UTC(year, month - 1, day, hour, minute, second) - atMs;
  };
  const changes: ClockChange[] = [];
  let offsetMs = offsetAt(Date.UTC(2015, 0));
  for (let weekMs = Date.UTC(2015, 0); weekMs < Date.UTC(2038, 0); weekMs += WEEK_MS) {
    const laterMs = offsetAt(weekMs + WEEK_MS);
    if (laterMs === offsetMs) continue;
    let same = weekMs;
    let changed = weekMs + WEEK_MS;
    while (changed - same > 1000) {
      const middle = Math.floor((same + changed) / 2000) * 1000;
      if (offsetAt(middle) === offsetMs) same = middle;
      else changed = middle;
    }
    changes.push({ timezone, atMs: changed, beforeMs: offsetMs, afterMs: laterMs });
    offsetMs = laterMs;
  }
  return changes;
}
