import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type DstGapPolicy,
  type DstOverlapPolicy,
  nextSlot,
  slotsAfter,
  type SlotRule,
} from '../../../src/domain/schedule/schedule-slots.ts';
import { type ClockChange, clockChanges, ruleFor } from './schedule-support.ts';

// Every clock change of every zone from 2015 to 2037, about 6,000. The test computes the expected slots around one
// minute
// by minute, from the wall times of the two offsets only, without the code under test.

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;
/**
 * The distance from a change in which slots are checked. It is farther than a change moves any slot, and no other
 * change is so near.
 */
const NEAR_MS = 18 * HOUR_MS;

const CHANGES = Intl.supportedValuesOf('timeZone').flatMap((zone) => clockChanges(zone));

interface Times {
  readonly kind: 'FIXED' | 'STEP' | 'EVERY_HOUR';
  readonly text: string;
  readonly minutes: readonly number[];
  readonly hours: readonly number[];
  /** Empty matches any. */
  readonly weekdays: readonly number[];
}

function times(
  kind: Times['kind'],
  minutes: readonly number[],
  hourText: string,
  hours: readonly number[],
  weekdays: readonly number[] = [],
): Times {
  const text = `0 ${minutes.join(',')} ${hourText} * * ${weekdays.length === 0 ? '*' : weekdays.join(',')}`;
  return { kind, text, minutes, hours, weekdays };
}

const ALL_HOURS = Array.from({ length: 24 }, (_, hour) => hour);

function everyHours(step: number, minutes: readonly number[]): Times {
  const hours = ALL_HOURS.filter((hour) => hour % step === 0);
  return step === 1 ? times('EVERY_HOUR', minutes, '*', hours) : times('STEP', minutes, `*/${step}`, hours);
}

interface Policies {
  readonly dstGapPolicy: DstGapPolicy;
  readonly dstOverlapPolicy: DstOverlapPolicy;
}

const DEFAULTS: Policies = { dstGapPolicy: 'SHIFT', dstOverlapPolicy: 'FIRST' };

/** The instants near a change at which the schedule must fire. */
function expectedSlots(named: Times, change: ClockChange, policies: Policies): number[] {
  const changeMs = Math.abs(change.afterMs - change.beforeMs);
  const minutes = new Set(named.minutes);
  const hours = new Set(named.hours);
  const weekdays = new Set(named.weekdays);
  const atTime = (wallMs: number): boolean =>
    hours.has(Math.floor(wallMs / HOUR_MS) % 24) && minutes.has(Math.floor(wallMs / MINUTE_MS) % 60);
  const names = (wallMs: number): boolean =>
    atTime(wallMs) && (weekdays.size === 0 || weekdays.has((Math.floor(wallMs / DAY_MS) + 4) % 7));
  const slots = new Set<number>();
  const middleMs = change.atMs + change.beforeMs;
  for (let wallMs = middleMs - DAY_MS; wallMs <= middleMs + DAY_MS; wallMs += MINUTE_MS) {
    if (!names(wallMs)) continue;
    const first = wallMs - change.beforeMs;
    const second = wallMs - change.afterMs;
    const showings = [...(first < change.atMs ? [first] : []), ...(second >= change.atMs ? [second] : [])];
    const [only = first] = showings;
    if (showings.length === 2) {
      const again = atTime(wallMs + changeMs) ? [first, second] : [first];
      const fixed = { FIRST: [first], LAST: [second], BOTH: showings }[policies.dstOverlapPolicy];
      for (const slot of { FIXED: fixed, STEP: again, EVERY_HOUR: showings }[named.kind]) slots.add(slot);
    } else if (showings.length === 1) {
      slots.add(only);
    } else if (named.kind === 'STEP' || (named.kind === 'FIXED' && policies.dstGapPolicy === 'SHIFT')) {
      slots.add(first);
    }
  }
  const near = (slot: number): boolean => Math.abs(slot - change.atMs) <= NEAR_MS;
  return [...slots].filter(near).sort((a, b) => a - b);
}

function actualSlots(rule: SlotRule, change: ClockChange): number[] {
  const slots: number[] = [];
  for (const slot of slotsAfter(rule, new Date(change.atMs - NEAR_MS - 1))) {
    if (slot.getTime() > change.atMs + NEAR_MS) break;
    slots.push(slot.getTime());
  }
  return slots;
}

function differences(slots: readonly number[]): Set<number> {
  return new Set(slots.slice(1).map((slot, index) => slot - (slots[index] ?? 0)));
}

/** One line for each failed change. A failure in one zone is easier to understand next to failures in similar zones. */
function failures(check: (change: ClockChange) => boolean, changes = CHANGES): string[] {
  return changes
    .filter((change) => !check(change))
    .map(({ timezone, atMs }) => `${timezone} ${new Date(atMs).toISOString()}`);
}

describe('around every clock change of every zone from 2015 to 2037', () => {
  it('has clock changes to check', () => {
    expect(CHANGES.length).toBeGreaterThan(5000);
    expect(new Set(CHANGES.map(({ timezone }) => timezone)).size).toBeGreaterThan(150);
  });

  it.each([
    [times('FIXED', [0, 30], '0,1,2,3,4,22,23', [0, 1, 2, 3, 4, 22, 23])],
    [times('FIXED', [15], '2,13', [2, 13])],
    [everyHours(1, [0])],
    [everyHours(2, [30])],
  ])('fires exactly when the rule requires: $text', (named) => {
    const rule = ruleFor(named.text);
    const asTheRuleSays = (change: ClockChange): boolean => {
      const expected = expectedSlots(named, change, DEFAULTS);
      const actual = actualSlots({ ...rule, timezone: change.timezone }, change);
      return actual.length === expected.length && actual.every((slot, index) => slot === expected[index]);
    };
    expect(failures(asTheRuleSays)).toEqual([]);
  });

  it('a schedule of every quarter of an hour runs every quarter of an hour', () => {
    const rule = ruleFor('0 */15 * * * *');
    const evenly = (change: ClockChange): boolean => {
      const distances = differences(actualSlots({ ...rule, timezone: change.timezone }, change));
      return distances.size === 1 && distances.has(15 * MINUTE_MS);
    };
    expect(failures(evenly)).toEqual([]);
  });

  it('an hourly schedule runs every hour when the clock changes by whole hours', () => {
    const rule = ruleFor('0 5 * * * *');
    const wholeHours = CHANGES.filter(({ beforeMs, afterMs }) => (afterMs - beforeMs) % HOUR_MS === 0);
    const evenly = (change: ClockChange): boolean => {
      const distances = differences(actualSlots({ ...rule, timezone: change.timezone }, change));
      return distances.size === 1 && distances.has(HOUR_MS);
    };
    expect(failures(evenly, wholeHours)).toEqual([]);
  });
});

const change = fc.constantFrom(...CHANGES);
const minutes = fc.uniqueArray(fc.integer({ min: 0, max: 59 }), { minLength: 1, maxLength: 5 });
const hourList = fc.uniqueArray(fc.integer({ min: 0, max: 23 }), { minLength: 1, maxLength: 23 });
const named = fc.oneof(
  fc
    .tuple(minutes, hourList, fc.uniqueArray(fc.integer({ min: 0, max: 6 }), { maxLength: 3 }))
    .map(([at, hours, weekdays]) => times('FIXED', at, hours.join(','), hours, weekdays)),
  fc.tuple(fc.integer({ min: 1, max: 12 }), minutes).map(([step, at]) => everyHours(step, at)),
);
const policies = fc.record({
  dstGapPolicy: fc.constantFrom<DstGapPolicy>('SHIFT', 'SKIP'),
  dstOverlapPolicy: fc.constantFrom<DstOverlapPolicy>('FIRST', 'LAST', 'BOTH'),
});

describe('any schedule, zone and policy', () => {
  it('fires exactly when the rule requires, in ascending order', () => {
    fc.assert(
      fc.property(named, change, policies, (schedule, near, policy) => {
        const actual = actualSlots(ruleFor(schedule.text, near.timezone, policy), near);
        expect(actual).toEqual(expectedSlots(schedule, near, policy));
        expect([...differences(actual)].every((distance) => distance > 0)).toBe(true);
      }),
      { numRuns: 1500, seed: 1 },
    );
  });

  it('has the same slots from any starting point', () => {
    const hours = fc.double({ min: -18, max: 18, noNaN: true });
    fc.assert(
      fc.property(named, change, policies, hours, (schedule, near, policy, hoursAway) => {
        const rule = ruleFor(schedule.text, near.timezone, policy);
        const askedFrom = near.atMs + Math.round(hoursAway * HOUR_MS);
        const known = expectedSlots(schedule, near, policy).find((slot) => slot > askedFrom);
        fc.pre(known !== undefined);
        expect(nextSlot(rule, new Date(askedFrom))?.getTime()).toBe(known);
      }),
      { numRuns: 1500, seed: 1 },
    );
  });

  it('fires exactly once, under FIRST, for each named time that the clock shows', () => {
    fc.assert(
      fc.property(minutes, hourList, change, (atMinutes, atHours, near) => {
        const rule = ruleFor(`0 ${atMinutes.join(',')} ${atHours.join(',')} * * *`, near.timezone, {
          dstGapPolicy: 'SKIP',
        });
        const onTheClock = (atMs: number): number => atMs + (atMs < near.atMs ? near.beforeMs : near.afterMs);
        const fired = actualSlots(rule, near).map(onTheClock);
        const shown = new Set<number>();
        for (let atMs = near.atMs - NEAR_MS; atMs <= near.atMs + NEAR_MS; atMs += MINUTE_MS) {
          const wall = new Date(onTheClock(atMs));
          if (atHours.includes(wall.getUTCHours()) && atMinutes.includes(wall.getUTCMinutes())) {
            shown.add(wall.getTime());
          }
        }
        expect(fired).toEqual([...shown].sort((a, b) => a - b));
      }),
      { numRuns: 300, seed: 1 },
    );
  });
});
