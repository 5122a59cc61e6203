import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { SlotRule } from '../../../src/domain/schedule/schedule-slots.ts';
import { countSlots } from '../../../src/domain/schedule/slot-count.ts';
import { clockChanges, ruleFor, slotsBetween } from './schedule-support.ts';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const ZONES = [
  'UTC',
  'Europe/Berlin',
  'America/New_York',
  'Australia/Lord_Howe',
  'Asia/Kolkata',
  'America/Sao_Paulo',
];
const CHANGES = ZONES.flatMap((zone) => clockChanges(zone).map(({ atMs }) => ({ zone, atMs })));

const field = (max: number) =>
  fc.oneof(
    fc.constant('*'),
    fc.integer({ min: 0, max }).map(String),
    fc.integer({ min: 2, max }).map((step) => `*/${step}`),
    fc.array(fc.integer({ min: 0, max }), { minLength: 1, maxLength: 4 }).map((values) => values.join(',')),
  );
const days = fc.constantFrom(
  '* * *',
  '*/3 * *',
  '1,15,31 * *',
  'L * *',
  '* 2,10 *',
  '* * MON-FRI',
  '29 2 *',
  '13 * FRI',
);
/** Not every second and every minute of many hours at once: the list for the comparison would have millions. */
const cron = fc
  .tuple(field(59), field(59), field(23), days)
  .filter(([second, minute]) => !(second === '*' && minute === '*'))
  .map(([second, minute, hour, day]) => `${second} ${minute} ${hour} ${day}`);

const policies = fc.record({
  dstGapPolicy: fc.constantFrom('SHIFT' as const, 'SKIP' as const),
  dstOverlapPolicy: fc.constantFrom('FIRST' as const, 'LAST' as const, 'BOTH' as const),
});
/** Spans that begin near a clock change. Some end behind the next one. */
const spans = fc.record({
  change: fc.constantFrom(...CHANGES),
  beginsMs: fc.integer({ min: -2 * DAY_MS, max: 2 * DAY_MS }),
  lastsMs: fc.oneof(fc.integer({ min: 1, max: 3 * HOUR_MS }), fc.integer({ min: 1, max: 20 * DAY_MS })),
});

describe('slots', () => {
  it('counts as many as the list has, also at a clock change', () => {
    fc.assert(
      fc.property(cron, policies, spans, (text, overrides, { change, beginsMs, lastsMs }) => {
        const rule = ruleFor(text, change.zone, overrides);
        const from = change.atMs + beginsMs;
        expectSameAsListed(rule, from, from + lastsMs);
      }),
      { numRuns: 200 },
    );
  });

  it('exclude those outside of a job’s start and end', () => {
    fc.assert(
      fc.property(
        fc.constantFrom('*/7 * * * *', '0 3 * * *', '@every 13m', '@every 1s'),
        fc.array(fc.integer({ min: 0, max: 3 * HOUR_MS }), { minLength: 4, maxLength: 4 }),
        (text, instants) => {
          const [a = 0, b = 0, from = 0, to = 0] = instants.map((ms) => Date.UTC(2030, 0, 7, 2) + ms);
          const window = { startAt: new Date(Math.min(a, b)), endAt: new Date(Math.max(a, b)) };
          const rule = ruleFor(text, 'UTC', { ...window, anchorAt: window.startAt });
          expectSameAsListed(rule, Math.min(from, to), Math.max(from, to));
        },
      ),
    );
  });

  it('of a one-off are one or none', () => {
    const runAt = new Date('2030-01-07T09:00:00Z');
    const rule: SlotRule = { ...ruleFor('@daily'), schedule: { kind: 'ONCE', runAt } };
    const from = runAt.getTime();
    expect(countSlots(rule, runAt, new Date(from + 1))).toBe(1);
    expect(countSlots(rule, new Date(from - 1), runAt)).toBe(0);
    expect(countSlots(rule, new Date(from + 1), new Date(from + 2))).toBe(0);
  });

  it('of every second are counted for a year quickly', () => {
    const rule = ruleFor('* * * * * *', 'Europe/Berlin');
    const count = countSlots(rule, new Date('2030-01-01T00:00:00Z'), new Date('2031-01-01T00:00:00Z'));
    expect(count).toBe(365 * 86_400);
  });
});

function expectSameAsListed(rule: SlotRule, fromMs: number, untilMs: number): void {
  const listed = slotsBetween(rule, new Date(fromMs - 1), new Date(untilMs - 1));
  expect(countSlots(rule, new Date(fromMs), new Date(untilMs))).toBe(listed.length);
}
