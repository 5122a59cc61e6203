import { boundedMemo } from '../values/bounded-memo.ts';
import { type CronRule, parseCronFields } from './cron-fields.ts';
import { DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS } from './cron-wall.ts';

/** A cron schedule, or a nickname for one. */
export interface CronSchedule {
  readonly kind: 'CRON';
  readonly rule: CronRule;
}

/** `@every`: a fixed distance in real time, counted from an anchor. */
export interface EverySchedule {
  readonly kind: 'EVERY';
  readonly intervalMs: number;
}

/** A single run, from a job's `runAt`. */
export interface OnceSchedule {
  readonly kind: 'ONCE';
  readonly runAt: Date;
}

/** The rule that names a job's slots. */
export type Schedule = CronSchedule | EverySchedule | OnceSchedule;

/** Why a schedule is refused: a sentence for its author that names the wrong field. */
export interface ScheduleProblem {
  readonly kind: 'INVALID';
  readonly message: string;
}

export const MAX_SCHEDULE_LENGTH = 256;
export const MIN_INTERVAL_MS = SECOND_MS;
export const MAX_INTERVAL_MS = 366 * DAY_MS;

const NICKNAMES: Readonly<Record<string, string>> = {
  '@hourly': '0 0 * * * *',
  '@daily': '0 0 0 * * *',
  '@midnight': '0 0 0 * * *',
  '@weekly': '0 0 0 * * 0',
  '@monthly': '0 0 0 1 * *',
  '@yearly': '0 0 0 1 1 *',
  '@annually': '0 0 0 1 1 *',
};

const PARSED_LIMIT = 10_000;

/**
 * Reads a schedule: cron with 6 fields (seconds first) or 5 (second 0), a nickname such as `@hourly`, or `@every
 * 1h30m`. docs/schedules.md describes the dialect and its limits. Never throws. Results stay in memory, so a call for
 * each use is cheap.
 */
export function parseSchedule(text: string): CronSchedule | EverySchedule | ScheduleProblem {
  // This comes before the memo, so the memo never holds a long text.
  if (text.length > MAX_SCHEDULE_LENGTH) {
    return invalid(`schedule: has ${text.length} characters, allowed are ${MAX_SCHEDULE_LENGTH}`);
  }
  return parseKnown(text);
}

const parseKnown = boundedMemo(PARSED_LIMIT, (text): CronSchedule | EverySchedule | ScheduleProblem => {
  if (!/^[\x20-\x7e\t]*$/.test(text)) return invalid('schedule: may hold printable ASCII characters only');
  const words = text.trim().split(/[ \t]+/);
  const [first = ''] = words;
  if (first === '') return invalid('schedule: is empty');
  if (first.toLowerCase() === '@every') return parseEvery(words.slice(1).join(' '));
  if (first.startsWith('@')) return parseNickname(words.join(' '));
  return parseCron(words);
});

function parseNickname(text: string): CronSchedule | ScheduleProblem {
  const expression = NICKNAMES[text.toLowerCase()];
  if (expression !== undefined) return parseCron(expression.split(' '));
  return invalid(`schedule: "${text}" is none of ${Object.keys(NICKNAMES).join(', ')} and @every`);
}

function parseCron(words: readonly string[]): CronSchedule | ScheduleProblem {
  if (words.length < 5 || words.length > 6) {
    return invalid(
      `schedule: has ${words.length} ${words.length === 1 ? 'field' : 'fields'}, cron takes 6 (second, minute, hour, ` +
        'day of month, month, day of week) or 5 (without the second)',
    );
  }
  const fields = words.length === 5 ? ['0', ...words] : words;
  const rule = parseCronFields(fields);
  if (typeof rule === 'string') return invalid(rule);
  return { kind: 'CRON', rule };
}

const UNIT_MS = { d: DAY_MS, h: HOUR_MS, m: MINUTE_MS, s: SECOND_MS } as const;

function parseEvery(text: string): EverySchedule | ScheduleProblem {
  const match = /^(?=\d)(?:(\d{1,9})d)?(?:(\d{1,9})h)?(?:(\d{1,9})m)?(?:(\d{1,9})s)?$/i.exec(text);
  if (match === null) {
    return invalid(
      `@every: "${text}" is not a duration such as 90s, 15m or 1h30m (whole numbers of d, h, m and s, largest first)`,
    );
  }
  const [, days = 0, hours = 0, minutes = 0, seconds = 0] = match;
  const intervalMs =
    Number(days) * UNIT_MS.d +
    Number(hours) * UNIT_MS.h +
    Number(minutes) * UNIT_MS.m +
    Number(seconds) * UNIT_MS.s;
  if (intervalMs < MIN_INTERVAL_MS || intervalMs > MAX_INTERVAL_MS) {
    return invalid(`@every: "${text}" must lie between 1s and 366d`);
  }
  return { kind: 'EVERY', intervalMs };
}

function invalid(message: string): ScheduleProblem {
  return { kind: 'INVALID', message };
}
