import { toString as describeCron } from 'cronstrue';
import { DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS } from './cron-wall.ts';
import type { CronSchedule, Schedule } from './schedule.ts';
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
 * Lists the next `count` runs after an instant, from the code that fires them, with a description, and warnings: what
 * the clock changes of the following year do to the schedule, and whether it fires rarely or never again.
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
      return describeCronSchedule(schedule);
    case 'EVERY':
      return `Every ${durationText(schedule.intervalMs)}`;
    case 'ONCE':
      return `Once, at ${schedule.runAt.toISOString()}`;
  }
}

function describeCronSchedule({ expression, rule }: CronSchedule): string {
  // cronstrue knows "?" in the day fields only; it means what "*" means.
  const text = describeCron(expression.replaceAll('?', '*'), {
    use24HourTimeFormat: true,
    throwExceptionOnParseError: false,
  });
  // Its "and" between the two day fields reads as if both had to match.
  return rule.eitherDay ? text.replace(', and on ', ', or on ') : text;
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
