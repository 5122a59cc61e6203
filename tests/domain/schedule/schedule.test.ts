import { CronExpressionParser } from 'cron-parser';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseSchedule } from '../../../src/domain/schedule/schedule.ts';
import { isoSeconds, ruleFor, upcoming } from './schedule-support.ts';

// A Tuesday.
const FROM = '2026-09-01T12:34:56Z';

describe('a cron schedule', () => {
  it.each([
    ['six fields, seconds first', '10 30 9 * * *', ['2026-09-02T09:30:10Z', '2026-09-03T09:30:10Z']],
    ['five fields, at second 0', '30 9 * * *', ['2026-09-02T09:30:00Z', '2026-09-03T09:30:00Z']],
    ['every second', '* * * * * *', ['2026-09-01T12:34:57Z', '2026-09-01T12:34:58Z']],
    ['a list', '0 5,35 * * * *', ['2026-09-01T12:35:00Z', '2026-09-01T13:05:00Z']],
    ['a list that says a thing twice', '0 5,35,5 * * * *', ['2026-09-01T12:35:00Z', '2026-09-01T13:05:00Z']],
    ['a range', '0 0 9-10 * * *', ['2026-09-02T09:00:00Z', '2026-09-02T10:00:00Z']],
    ['a step', '*/20 * * * * *', ['2026-09-01T12:35:00Z', '2026-09-01T12:35:20Z']],
    ['a step within a range', '0 10-30/10 * * * *', ['2026-09-01T13:10:00Z', '2026-09-01T13:20:00Z']],
    ['a step from a value on', '0 50/5 * * * *', ['2026-09-01T12:50:00Z', '2026-09-01T12:55:00Z']],
    ['a step as large as its range', '0 */60 * * * *', ['2026-09-01T13:00:00Z', '2026-09-01T14:00:00Z']],
    ['a list of ranges and steps', '0 0 1-2,20/2 * * *', ['2026-09-01T20:00:00Z', '2026-09-01T22:00:00Z']],
    ['names of months', '0 0 0 1 JAN,mar *', ['2027-01-01T00:00:00Z', '2027-03-01T00:00:00Z']],
    ['a range of names', '0 0 0 ? * MON-tue', ['2026-09-07T00:00:00Z', '2026-09-08T00:00:00Z']],
    [
      'a range of names that ends on Sunday',
      '0 0 0 ? * SAT-SUN',
      ['2026-09-05T00:00:00Z', '2026-09-06T00:00:00Z'],
    ],
    ['Sunday as 0', '0 0 0 * * 0', ['2026-09-06T00:00:00Z', '2026-09-13T00:00:00Z']],
    ['Sunday as 7', '0 0 0 * * 7', ['2026-09-06T00:00:00Z', '2026-09-13T00:00:00Z']],
    ['Sunday as both', '0 0 0 * * 0,7', ['2026-09-06T00:00:00Z', '2026-09-13T00:00:00Z']],
    ['a range up to 7', '0 0 0 * * 6-7', ['2026-09-05T00:00:00Z', '2026-09-06T00:00:00Z']],
    ['a question mark for "any"', '0 0 0 15 * ?', ['2026-09-15T00:00:00Z', '2026-10-15T00:00:00Z']],
    ['the last day of the month', '0 0 0 L * *', ['2026-09-30T00:00:00Z', '2026-10-31T00:00:00Z']],
    ['the last day beside another', '0 0 0 15,L * *', ['2026-09-15T00:00:00Z', '2026-09-30T00:00:00Z']],
    ['the last Friday', '0 0 0 * * 5L', ['2026-09-25T00:00:00Z', '2026-10-30T00:00:00Z']],
    ['the last Friday by name', '0 0 0 ? * FRIL', ['2026-09-25T00:00:00Z', '2026-10-30T00:00:00Z']],
    ['the second Monday', '0 0 0 ? * MON#2', ['2026-09-14T00:00:00Z', '2026-10-12T00:00:00Z']],
    ['two of the Mondays', '0 0 0 ? * MON#1,1#3', ['2026-09-07T00:00:00Z', '2026-09-21T00:00:00Z']],
    ['a weekday beside an nth one', '0 0 0 ? * SUN,MON#2', ['2026-09-06T00:00:00Z', '2026-09-13T00:00:00Z']],
    ['29 February', '0 0 0 29 2 *', ['2028-02-29T00:00:00Z', '2032-02-29T00:00:00Z']],
    ['the 31st, where there is one', '0 0 0 31 9-12 *', ['2026-10-31T00:00:00Z', '2026-12-31T00:00:00Z']],
    ['blanks and tabs around it', '  0\t0  0 1 * * ', ['2026-10-01T00:00:00Z', '2026-11-01T00:00:00Z']],
  ])('takes %s', (_what, text, expected) => {
    expect(upcoming(ruleFor(text), FROM, expected.length)).toEqual(expected);
  });

  it('fires when either day field matches, if both are restricted', () => {
    expect(upcoming(ruleFor('0 0 0 10 * FRI'), FROM, 4)).toEqual([
      '2026-09-04T00:00:00Z',
      '2026-09-10T00:00:00Z',
      '2026-09-11T00:00:00Z',
      '2026-09-18T00:00:00Z',
    ]);
  });

  it.each(['0 0 0 */1 * MON', '0 0 0 1-31 * MON', '0 0 0 ? * MON'])(
    'does not count a day of month that allows every day as a restriction: %s',
    (text) => {
      expect(upcoming(ruleFor(text), FROM, 2)).toEqual(['2026-09-07T00:00:00Z', '2026-09-14T00:00:00Z']);
    },
  );

  it('names the same times as cron-parser when there is no zone', () => {
    fc.assert(
      fc.property(
        cronText(),
        fc.integer({ min: Date.UTC(2020, 0), max: Date.UTC(2040, 0) }),
        (text, fromMs) => {
          const reference = CronExpressionParser.parse(text, { tz: 'UTC', currentDate: new Date(fromMs) });
          const expected = Array.from({ length: 5 }, () => isoSeconds(reference.next().toDate()));
          expect(upcoming(ruleFor(text), new Date(fromMs).toISOString(), 5)).toEqual(expected);
        },
      ),
      { numRuns: 600, seed: 1 },
    );
  });
});

/**
 * Expressions that both parsers accept with the same meaning: every kind of item, no value twice, a day in every month.
 */
function cronText(): fc.Arbitrary<string> {
  const item = (min: number, max: number): fc.Arbitrary<string> =>
    fc.oneof(
      fc.constant('*'),
      fc.uniqueArray(fc.integer({ min, max }), { minLength: 1, maxLength: 4 }).map((list) => list.join(',')),
      fc
        .tuple(fc.integer({ min, max }), fc.integer({ min, max }))
        .map(([a, b]) => `${Math.min(a, b)}-${Math.max(a, b)}`),
      fc.integer({ min: 2, max: Math.ceil((max - min) / 2) }).map((step) => `*/${step}`),
    );
  const dayOfMonth = fc.oneof(item(1, 28), fc.constantFrom('L', '15,L', '?'));
  const dayOfWeek = fc.oneof(item(0, 5), fc.constantFrom('MON#1', '5#3', 'FRIL', '0L', 'MON-FRI', '?'));
  return fc
    .tuple(item(0, 59), item(0, 59), item(0, 23), dayOfMonth, item(1, 12), dayOfWeek)
    .map((fields) => fields.join(' '));
}

describe('schedules that differ in one field', () => {
  it('share the parsed parts, and nothing of a refused schedule', () => {
    const fieldsOf = (text: string) => {
      const parsed = parseSchedule(text);
      return parsed.kind === 'CRON' ? parsed.rule.fields : parsed;
    };
    const [one, other] = [fieldsOf('11 */7 3 5 * 2#1'), fieldsOf('12 */7 3 5 * 2#1')];
    if ('kind' in one || 'kind' in other) throw new Error('They were refused');
    expect(other.minutes).toBe(one.minutes);
    expect(other.dayMasks).toBe(one.dayMasks);
    expect(other.seconds).not.toEqual(one.seconds);
    expect(other.seconds).toBe((fieldsOf('12 0 0 * * *') as typeof one).seconds);
    for (const text of ['11 */7 3 5 * 9', '12 */7 3 5 * 9'])
      expect(fieldsOf(text)).toMatchObject({
        kind: 'INVALID',
        message: expect.stringMatching(/day of week: "9"/) as string,
      });
  });
});

describe('a nickname', () => {
  it.each([
    ['@hourly', '2026-09-01T13:00:00Z'],
    ['@daily', '2026-09-02T00:00:00Z'],
    ['@midnight', '2026-09-02T00:00:00Z'],
    ['@weekly', '2026-09-06T00:00:00Z'],
    ['@monthly', '2026-10-01T00:00:00Z'],
    ['@yearly', '2027-01-01T00:00:00Z'],
    ['@annually', '2027-01-01T00:00:00Z'],
    ['@Hourly', '2026-09-01T13:00:00Z'],
  ])('%s means what it says', (text, next) => {
    expect(upcoming(ruleFor(text), FROM, 1)).toEqual([next]);
  });
});

describe('@every', () => {
  it.each([
    ['@every 1s', 1000],
    ['@every 90s', 90_000],
    ['@every 15m', 900_000],
    ['@every 1h30m', 5_400_000],
    ['@every 1d2h3m4s', 93_784_000],
    ['@EVERY 366D', 366 * 86_400_000],
  ])('%s is %d ms', (text, intervalMs) => {
    expect(parseSchedule(text)).toEqual({ kind: 'EVERY', intervalMs });
  });
});

describe('a schedule is refused', () => {
  it.each([
    ['', 'schedule: is empty'],
    ['   ', 'schedule: is empty'],
    ['*', 'schedule: has 1 field,'],
    ['* *', 'schedule: has 2 fields,'],
    ['* * *', 'schedule: has 3 fields,'],
    ['* * * *', 'schedule: has 4 fields,'],
    ['0 0 0 1 1 * 2026', 'schedule: has 7 fields,'],
    ['0 0 0 * * *'.padEnd(257), 'schedule: has 257 characters, allowed are 256'],
    [`${'1,'.repeat(600_000)}1 * * * *`, 'allowed are 256'],
    ['0 0 ٣ * * *', 'schedule: may hold printable ASCII characters only'],
    ['0 0 0 * * *\n', 'schedule: may hold printable ASCII characters only'],
    ['60 * * * * *', 'second: "60" is not allowed; allowed are 0 to 59'],
    ['0 60 * * * *', 'minute: "60" is not allowed; allowed are 0 to 59'],
    ['0 0 24 * * *', 'hour: "24" is not allowed; allowed are 0 to 23'],
    ['0 0 0 0 * *', 'day of month: "0" is not allowed; allowed are 1 to 31'],
    ['0 0 0 32 * *', 'day of month: "32" is not allowed; allowed are 1 to 31'],
    ['0 0 0 1 13 *', 'month: "13" is not allowed; allowed are 1 to 12'],
    ['0 0 0 1 FOO *', 'month: "FOO" is not allowed'],
    ['0 0 0 1 JANUARY *', 'month: "JANUARY" is not allowed'],
    ['0 0 0 * * 8', 'day of week: "8" is not allowed; allowed are 0 to 7'],
    ['0 0 0 * * MONDAY', 'day of week: "MONDAY" is not allowed'],
    ['-1 0 0 * * *', 'second: "-1" is not allowed'],
    ['1.5 0 0 * * *', 'second: "1.5" is not allowed'],
    ['0 5-1 * * * *', 'minute: "5-1" is not allowed'],
    ['0 1-2-3 * * * *', 'minute: "1-2-3" is not allowed'],
    ['0 1, * * * *', 'minute: a list has an empty place'],
    ['*/61 * * * * *', 'second: the step of "*/61" must lie between 1 and 60'],
    ['0 */90 * * * *', 'minute: the step of "*/90" must lie between 1 and 60'],
    ['0 0 */25 * * *', 'hour: the step of "*/25" must lie between 1 and 24'],
    ['0 0 8-10/4 * * *', 'hour: the step of "8-10/4" must lie between 1 and 3'],
    ['0 50/15 * * * *', 'minute: the step of "50/15" must lie between 1 and 10'],
    ['0 0 0 */32 * *', 'day of month: the step of "*/32" must lie between 1 and 31'],
    ['0 0 0 1 */13 *', 'month: the step of "*/13" must lie between 1 and 12'],
    ['0 0 0 * * */8', 'day of week: the step of "*/8" must lie between 1 and 7'],
    ['0 */0 * * * *', 'minute: the step of "*/0" must lie between 1 and 60'],
    ['H * * * *', 'minute: "H" is not allowed'],
    ['0 0 H(0-3) * * *', 'hour: "H(0-3)" is not allowed'],
    ['0 0 0 15W * *', 'day of month: "15W" is not allowed'],
    ['0 0 0 L-3 * *', 'day of month: "L-3" is not allowed'],
    ['0 0 0 * * L', 'day of week: "L" is not allowed'],
    ['0 0 0 * * MON#6', 'day of week: "MON#6" is not allowed'],
    ['0 0 0 * * MON#0', 'day of week: "MON#0" is not allowed'],
    ['0 0 L * * *', 'hour: "L" is not allowed'],
    ['0 0 0 30 2 *', 'day of month: 30 never comes in FEB,'],
    ['0 0 31 2,4 *', 'day of month: 31 never comes in FEB, APR,'],
    ['@reboot', 'schedule: "@reboot" is none of @hourly'],
    ['@', 'schedule: "@" is none of @hourly'],
    ['@constructor', 'schedule: "@constructor" is none of @hourly'],
    ['@every', '@every: "" is not a duration'],
    ['@every 90', '@every: "90" is not a duration'],
    ['@every 1.5h', '@every: "1.5h" is not a duration'],
    ['@every 30m1h', '@every: "30m1h" is not a duration'],
    ['@every -5s', '@every: "-5s" is not a duration'],
    ['@every 500ms', '@every: "500ms" is not a duration'],
    ['@every 0s', '@every: "0s" must lie between 1s and 366d'],
    ['@every 367d', '@every: "367d" must lie between 1s and 366d'],
  ])('when it is %j', (text, message) => {
    expect(parseSchedule(text)).toEqual({
      kind: 'INVALID',
      message: expect.stringContaining(message) as string,
    });
  });

  it('without ever throwing, for any input', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.stringMatching(/^[*?LWH#0-9,/@ A-Z-]{0,40}$/)), (text) => {
        expect(['CRON', 'EVERY', 'INVALID']).toContain(parseSchedule(text).kind);
      }),
      { numRuns: 2000, seed: 1 },
    );
  });
});
