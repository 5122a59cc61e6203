import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseSchedule } from '../../../src/domain/schedule/schedule.ts';
import { describeSchedule, previewSchedule } from '../../../src/domain/schedule/schedule-preview.ts';
import type { SlotRule } from '../../../src/domain/schedule/schedule-slots.ts';
import { isoSeconds, ruleFor } from './schedule-support.ts';

const FROM = new Date('2026-09-01T12:34:56Z');

function describeText(text: string): string {
  return describeSchedule(ruleFor(text).schedule);
}

function warningsOf(text: string, timezone = 'UTC', overrides: Partial<SlotRule> = {}): readonly string[] {
  return previewSchedule(ruleFor(text, timezone, overrides), FROM, 1).warnings;
}

describe('a description', () => {
  it.each([
    ['0 30 2 * * *', 'At 02:30'],
    ['30 2 * * *', 'At 02:30'],
    ['@hourly', 'Every hour'],
    ['*/5 * * * * *', 'Every 5 seconds'],
    ['? ? 12 * * ?', 'Every second, between 12:00 and 12:59'],
    ['0 0 9 ? * MON-FRI', 'At 09:00, Monday through Friday'],
    ['0 0 9 ? * FRIL', 'At 09:00, on the last Friday of the month'],
    ['0 0 12 13 * FRI', 'At 12:00, on day 13 of the month, or on Friday'],
    ['0 0 12 13 1 MON-FRI', 'At 12:00, on day 13 of the month, or Monday through Friday, only in January'],
    ['0 0 12 L * MON#2', 'At 12:00, on the last day of the month, or on the second Monday of the month'],
    ['@every 90s', 'Every 1 minute 30 seconds'],
    ['@every 1d', 'Every 1 day'],
  ])('of %s is "%s"', (text, sentence) => {
    expect(describeText(text)).toBe(sentence);
  });

  it('of a single run names its instant', () => {
    expect(describeSchedule({ kind: 'ONCE', runAt: FROM })).toBe('Once, at 2026-09-01T12:34:56.000Z');
  });

  it('exists for every accepted schedule', () => {
    const item = fc.stringMatching(
      /^(\*|\?|[0-9]|[1-2][0-9]|[0-4]-[5-9]|\*\/[2-7]|[1-5]\/2|L|[1-6]L|MON#[1-5]|SAT-SUN|JAN-MAR|FRI)$/,
    );
    const field = fc.array(item, { minLength: 1, maxLength: 2 }).map((items) => items.join(','));
    const plain = fc.stringMatching(/^(\*|\?|[0-9]|1[0-9]|[0-4]-[5-9]|\*\/[2-7]|[1-5]\/2)$/);
    fc.assert(
      fc.property(plain, plain, plain, field, field, field, (...fields) => {
        const schedule = parseSchedule(fields.join(' '));
        fc.pre(schedule.kind === 'CRON');
        expect(describeSchedule(schedule)).not.toMatch(/^$|error|undefined|null|NaN/i);
      }),
      { numRuns: 300, seed: 1 },
    );
  });
});

describe('a preview', () => {
  it('lists the next runs', () => {
    const { runs } = previewSchedule(ruleFor('0 0 9 * * *', 'Europe/Berlin'), FROM, 2);
    expect(runs.map(isoSeconds)).toEqual(['2026-09-02T07:00:00Z', '2026-09-03T07:00:00Z']);
  });

  it('lists fewer when the window ends before', () => {
    const endAt = new Date('2026-09-02T00:00:00Z');
    expect(previewSchedule(ruleFor('0 0 0 * * *', 'UTC', { endAt }), FROM, 5).runs).toEqual([endAt]);
  });
});

describe('a warning', () => {
  const FORWARD = 'On 2027-03-28 the clock in Europe/Berlin is set forward from 02:00 to 03:00: ';
  const BACK = 'On 2026-10-25 the clock in Europe/Berlin is set back from 03:00 to 02:00: ';

  it.each([
    [
      '0 30 2 * * *',
      {},
      'the run at 02:30 comes at 03:30 instead.',
      'the run at 02:30 comes once, the first time that the clock shows it.',
    ],
    [
      '0 30 2 * * *',
      { dstGapPolicy: 'SKIP', dstOverlapPolicy: 'LAST' },
      'the run at 02:30 is left out.',
      'the run at 02:30 comes once, the second time that the clock shows it.',
    ],
    [
      '0 */5 2 * * *',
      { dstOverlapPolicy: 'BOTH' },
      'the 12 runs from 02:00 to 02:55 come at 03:00 to 03:55 instead.',
      'the 12 runs from 02:00 to 02:55 come twice, 60 minutes apart.',
    ],
    [
      '30 0 2,3 * * *',
      {},
      'the run at 02:00:30 becomes one with the run at 03:00:30.',
      'the run at 02:00:30 comes once, the first time that the clock shows it.',
    ],
    [
      '0 0 */2 * * *',
      {},
      'the run at 02:00 comes at 03:00 instead.',
      'the run at 02:00 comes once, the first time that the clock shows it.',
    ],
  ] as const)(
    "describes the effect of next year's clock changes on %s under %j",
    (text, overrides, forward, back) => {
      expect(warningsOf(text, 'Europe/Berlin', overrides)).toEqual([BACK + back, FORWARD + forward]);
    },
  );

  it.each([
    ['0 30 4 * * *', 'Europe/Berlin'],
    ['0 0 * * * *', 'Europe/Berlin'],
    ['*/10 * * * * *', 'Australia/Lord_Howe'],
    ['0 0 */2 * * *', 'Antarctica/Troll'],
    ['0 30 2 1 * *', 'Europe/Berlin'],
    ['0 30 2 * * *', 'Asia/Tokyo'],
    ['@every 1h', 'Europe/Berlin'],
  ])('is not given for %s in %s, which no clock change affects', (text, timezone) => {
    expect(warningsOf(text, timezone)).toEqual([]);
  });

  it('names a change that is not a whole number of hours', () => {
    expect(warningsOf('0 45 * * * *', 'Australia/Lord_Howe')).toEqual([
      'On 2027-04-04 the clock in Australia/Lord_Howe is set back from 02:00 to 01:30: the run at 01:45 comes twice, 30 minutes apart.',
    ]);
    expect(warningsOf('0 15 * * * *', 'Australia/Lord_Howe')).toEqual([
      'On 2026-10-04 the clock in Australia/Lord_Howe is set forward from 02:00 to 02:30: the run at 02:15 is left out.',
    ]);
  });

  it('names the day when a whole day is skipped', () => {
    const rule = ruleFor('0 0 12 ? * FRI', 'Pacific/Apia');
    expect(previewSchedule(rule, new Date('2011-10-01T00:00:00Z'), 1).warnings).toContain(
      'On 2011-12-30 the clock in Pacific/Apia is set forward from 00:00 to 00:00 on 2011-12-31: the run at 12:00 comes at 12:00 instead.',
    );
  });

  it('respects the window of the job', () => {
    const endAt = new Date('2026-12-01T00:00:00Z');
    expect(warningsOf('0 30 2 * * *', 'Europe/Berlin', { endAt })).toHaveLength(1);
  });

  it('reports that a schedule is over', () => {
    expect(warningsOf('@daily', 'UTC', { endAt: FROM })).toEqual(['It never fires again.']);
  });

  it('reports that a schedule fires rarely', () => {
    expect(warningsOf('0 0 0 29 2 *')).toEqual(['The next run is more than a year away, on 2028-02-29.']);
  });
});
