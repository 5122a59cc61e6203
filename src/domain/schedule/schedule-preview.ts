import { toString as describeCron } from 'cronstrue';
import type { CronRule } from './cron-fields.ts';
import { DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS } from './cron-wall.ts';
import type { Schedule } from './schedule.ts';
import { describeClockChanges } from './schedule-clock-changes.ts';
import { nextSlot, type SlotRule, upcomingSlots } from './schedule-slots.ts';

/** What a schedule will do, for a person to check before saving it. */
export interface SchedulePreview {
  /** An English sentence. */
  readonly description: string;
  readonly runs: readonly Date[];
  /** Sentences about what the schedule's text does not show. */
  readonly warnings: readonly string[];
}

const YEAR_MS = 366 * DAY_MS;

/**
 * Lists the next `count` runs after an instant, with the code that fires them. It adds a description and warnings:
 * the effects of next year's clock changes, and schedules that fire rarely or never again.
 */
export function previewSchedule(rule: SlotRule, from: Date, count: number): SchedulePreview {
  return {
    description: describeSchedule(rule.schedule),
    runs: upcomingSlots(rule, from, count),
    warnings: [...warnAboutRarity(rule, from), ...warnAboutClockChanges(rule, from)],
  };
}

/** The schedule as an English sentence. */
export function describeSchedule(schedule: Schedule): string {
  switch (schedule.kind) {
    case 'CRON':
      return describeCronRule(schedule.rule);
    case 'EVERY':
      return `Every ${durationText(schedule.intervalMs)}`;
    case 'ONCE':
      return `Once, at ${schedule.runAt.toISOString()}`;
  }
}

function describeCronRule({ expression, eitherDay }: CronRule): string {
  if (!eitherDay) return describeFields(expression);
  // With both day fields at once, cronstrue writes as if both had to match.
  const [second, minute, hour, dayOfMonth, month, dayOfWeek] = expression.split(' ');
  const time = `${second} ${minute} ${hour}`;
  const clause = (days: string): string =>
    describeFields(`${time} ${days}`).slice(describeFields(`${time} * * *`).length);
  const orOnWeekday = clause(`* * ${dayOfWeek}`).replace(/^, (only )?/, ', or ');
  return describeFields(`${time} ${dayOfMonth} * *`) + orOnWeekday + clause(`* ${month} *`);
}

function describeFields(expression: string): string {
  return describeCron(expression, { use24HourTimeFormat: true, throwExceptionOnParseError: false });
}

function durationText(durationMs: number): string {
  const parts = [
    [Math.floor(durationMs / DAY_MS), 'day'],
    [Math.floor(durationMs / HOUR_MS) % 24, 'hour'],
    [Math.floor(durationMs / MINUTE_MS) % 60, 'minute'],
    [Math.floor(durationMs / SECOND_MS) % 60, 'second'],
  ] as const;
  return parts
    .filter(([amount]) => amount > 0)
    .map(([amount, unit]) => `${amount} ${unit}${amount === 1 ? '' : 's'}`)
    .join(' ');
}

function warnAboutRarity(rule: SlotRule, from: Date): string[] {
  const next = nextSlot(rule, from);
  if (next === null) return ['It never fires again.'];
  if (next.getTime() - from.getTime() <= YEAR_MS) return [];
  return [`The next run is more than a year away, on ${next.toISOString().slice(0, 10)}.`];
}

function warnAboutClockChanges(rule: SlotRule, from: Date): string[] {
  if (rule.schedule.kind !== 'CRON') return [];
  const fromMs = Math.max(from.getTime(), rule.startAt?.getTime() ?? 0, 0);
  const untilMs = Math.min(from.getTime() + YEAR_MS, rule.endAt?.getTime() ?? Infinity);
  return fromMs < untilMs ? describeClockChanges(rule.schedule.rule, rule, fromMs, untilMs) : [];
}
