/**
 * Wall-clock time without a zone, and the times that a cron expression names. A wall time is the number of
 * milliseconds that `Date.UTC` gives for its digits. So calendar arithmetic needs no library.
 */

export const SECOND_MS = 1000;
export const MINUTE_MS = 60 * SECOND_MS;
export const HOUR_MS = 60 * MINUTE_MS;
export const DAY_MS = 24 * HOUR_MS;

/** At index v the smallest member that is at least v, or -1 where there is none. */
export type Steps = Int8Array;

/** A parsed cron expression. A search for the next time needs only a few look-ups in these tables. */
export interface CronFields {
  readonly seconds: Steps;
  readonly minutes: Steps;
  readonly hours: Steps;
  /** Indexed from 1 for January. */
  readonly months: Steps;
  /**
   * The days on which it fires, for each of the 28 shapes of a month: see {@link monthShape}. Bit 0 is the first day.
   * These masks hold all rules for days: lists, `L`, `#`, day of month or weekday.
   */
  readonly dayMasks: readonly number[];
}

/** Which of the 28 kinds of month this is: 28 to 31 days long, beginning on Sunday (0) to Saturday (6). */
export function monthShape(lengthInDays: number, firstWeekday: number): number {
  return (lengthInDays - 28) * 7 + firstWeekday;
}

/** Tells whether the wall time's hour, minute and second match. It ignores the date. */
export function matchesTimeOfDay(fields: CronFields, wallMs: number): boolean {
  const timeMs = wallMs - Math.floor(wallMs / DAY_MS) * DAY_MS;
  return nextTimeOfDay(fields, timeMs) === timeMs;
}

/**
 * The first matching wall time in [fromMs, untilMs), undefined where there is none. A search over decades is cheap:
 * it goes from month to month, and inside a month directly to the day.
 */
export function nextWallTime(fields: CronFields, fromMs: number, untilMs: number): number | undefined {
  const from = Math.ceil(fromMs / SECOND_MS) * SECOND_MS;
  const today = Math.floor(from / DAY_MS) * DAY_MS;
  const timeMs = nextTimeOfDay(fields, from - today);
  const dayMs = nextDay(fields, timeMs === undefined ? today + DAY_MS : today, untilMs);
  if (dayMs === undefined) return undefined;
  const wallMs = dayMs + (dayMs === today && timeMs !== undefined ? timeMs : firstTimeOfDay(fields));
  return wallMs < untilMs ? wallMs : undefined;
}

/** How many matching wall times lie in [fromMs, untilMs). The work grows with the months, not with the wall times. */
export function countWallTimes(fields: CronFields, fromMs: number, untilMs: number): number {
  if (untilMs <= fromMs) return 0;
  const firstDay = Math.floor(fromMs / DAY_MS) * DAY_MS;
  const lastDay = Math.floor(untilMs / DAY_MS) * DAY_MS;
  const onDay = (dayMs: number, timeMs: number): number =>
    countDays(fields, dayMs, dayMs + DAY_MS) * timesBefore(fields, timeMs);
  return (
    countDays(fields, firstDay, lastDay) * timesBefore(fields, DAY_MS) +
    onDay(lastDay, untilMs - lastDay) -
    onDay(firstDay, fromMs - firstDay)
  );
}

/** Matching days in [fromDayMs, untilDayMs), both at midnight. */
function countDays(fields: CronFields, fromDayMs: number, untilDayMs: number): number {
  const from = new Date(fromDayMs);
  const year = from.getUTCFullYear();
  let count = 0;
  let month = from.getUTCMonth();
  for (let firstMs = Date.UTC(year, month); firstMs < untilDayMs;) {
    const nextFirstMs = Date.UTC(year, month + 1);
    if (contains(fields.months, (month % 12) + 1)) {
      const shape = monthShape((nextFirstMs - firstMs) / DAY_MS, new Date(firstMs).getUTCDay());
      const daysGone = Math.max((fromDayMs - firstMs) / DAY_MS, 0);
      const daysLeft = Math.max((nextFirstMs - untilDayMs) / DAY_MS, 0);
      const days = ((fields.dayMasks[shape] ?? 0) >>> daysGone) << daysGone;
      count += countBits(days & ((1 << ((nextFirstMs - firstMs) / DAY_MS - daysLeft)) - 1));
    }
    month += 1;
    firstMs = nextFirstMs;
  }
  return count;
}

/** How many matching times of a day lie before `timeMs`. */
function timesBefore({ hours, minutes, seconds }: CronFields, timeMs: number): number {
  const hour = Math.floor(timeMs / HOUR_MS);
  const minute = Math.floor(timeMs / MINUTE_MS) % 60;
  const second = Math.ceil((timeMs % MINUTE_MS) / SECOND_MS);
  const perMinute = membersBefore(seconds, 60);
  const perHour = membersBefore(minutes, 60) * perMinute;
  const inMinute = contains(minutes, minute) ? membersBefore(seconds, second) : 0;
  const inHour = contains(hours, hour) ? membersBefore(minutes, minute) * perMinute + inMinute : 0;
  return membersBefore(hours, hour) * perHour + inHour;
}

function membersBefore(steps: Steps, value: number): number {
  let count = 0;
  for (let member = atLeast(steps, 0); member >= 0 && member < value; member = atLeast(steps, member + 1))
    count += 1;
  return count;
}

function nextDay(fields: CronFields, fromDayMs: number, untilMs: number): number | undefined {
  const from = new Date(fromDayMs);
  const year = from.getUTCFullYear();
  let month = from.getUTCMonth();
  let daysGone = from.getUTCDate() - 1;
  // Date.UTC carries months above 11 over into the next years.
  for (let firstMs = Date.UTC(year, month); firstMs < untilMs;) {
    const nextFirstMs = Date.UTC(year, month + 1);
    if (contains(fields.months, (month % 12) + 1)) {
      const lengthInDays = (nextFirstMs - firstMs) / DAY_MS;
      const firstWeekday = new Date(firstMs).getUTCDay();
      const days = (fields.dayMasks[monthShape(lengthInDays, firstWeekday)] ?? 0) >>> daysGone;
      if (days !== 0) return firstMs + (daysGone + lowestBit(days)) * DAY_MS;
    }
    month += 1;
    daysGone = 0;
    firstMs = nextFirstMs;
  }
  return undefined;
}

function nextTimeOfDay(fields: CronFields, fromTimeMs: number): number | undefined {
  const hour = Math.floor(fromTimeMs / HOUR_MS);
  const minute = Math.floor(fromTimeMs / MINUTE_MS) % 60;
  const second = Math.floor(fromTimeMs / SECOND_MS) % 60;
  if (contains(fields.hours, hour)) {
    if (contains(fields.minutes, minute)) {
      const nextSecond = atLeast(fields.seconds, second);
      if (nextSecond >= 0) return timeOfDay(hour, minute, nextSecond);
    }
    const nextMinute = atLeast(fields.minutes, minute + 1);
    if (nextMinute >= 0) return timeOfDay(hour, nextMinute, atLeast(fields.seconds, 0));
  }
  const nextHour = atLeast(fields.hours, hour + 1);
  if (nextHour < 0) return undefined;
  return timeOfDay(nextHour, atLeast(fields.minutes, 0), atLeast(fields.seconds, 0));
}

function firstTimeOfDay(fields: CronFields): number {
  return timeOfDay(atLeast(fields.hours, 0), atLeast(fields.minutes, 0), atLeast(fields.seconds, 0));
}

function timeOfDay(hour: number, minute: number, second: number): number {
  return hour * HOUR_MS + minute * MINUTE_MS + second * SECOND_MS;
}

function atLeast(steps: Steps, value: number): number {
  return steps[value] ?? -1;
}

function contains(steps: Steps, value: number): boolean {
  return steps[value] === value;
}

function countBits(mask: number): number {
  let count = 0;
  for (let left = mask; left !== 0; left &= left - 1) count += 1;
  return count;
}

function lowestBit(mask: number): number {
  return 31 - Math.clz32(mask & -mask);
}
