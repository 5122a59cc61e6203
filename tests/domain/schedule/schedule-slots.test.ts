import { describe, expect, it } from 'vitest';
import { nextSlot, slotsAfter, upcomingSlots } from '../../../src/domain/schedule/schedule-slots.ts';
import { ruleFor, upcoming } from './schedule-support.ts';

describe('the next slot', () => {
  it('lies strictly after the instant', () => {
    expect(upcoming(ruleFor('@hourly'), '2026-09-01T12:00:00.000Z', 1)).toEqual(['2026-09-01T13:00:00Z']);
    expect(upcoming(ruleFor('@hourly'), '2026-09-01T11:59:59.999Z', 1)).toEqual(['2026-09-01T12:00:00Z']);
  });

  it.each([
    ['0 0 0 ? 2 MON#5', '2044-03-01T00:00:00Z', '2072-02-29T00:00:00Z'],
    ['0 0 0 ? 2 MON#5', '2072-03-01T00:00:00Z', '2112-02-29T00:00:00Z'],
    ['0 0 0 29 2 *', '2096-03-01T00:00:00Z', '2104-02-29T00:00:00Z'],
  ])('of %s after %s is found years ahead', (text, after, expected) => {
    expect(upcoming(ruleFor(text), after, 1)).toEqual([expected]);
  });

  it('is null when every named time falls into a skipped gap', () => {
    // In New York the clock goes forward on exactly that Sunday, at two.
    const rule = ruleFor('0 30 2 ? 3 SUN#2', 'America/New_York', { dstGapPolicy: 'SKIP' });
    expect(nextSlot(rule, new Date('2026-09-01T00:00:00Z'))).toBeNull();
  });

  it('is found before 1970 at its earliest and never beyond the year 9999', () => {
    expect(upcoming(ruleFor('@yearly'), '1900-01-01T00:00:00Z', 1)).toEqual(['1970-01-01T00:00:00Z']);
    expect(nextSlot(ruleFor('@yearly'), new Date('9999-06-01T00:00:00Z'))).toBeNull();
    expect(nextSlot(ruleFor('@every 1d'), new Date(8.64e15))).toBeNull();
    expect(nextSlot(ruleFor('* * * * * *', 'Europe/Berlin'), new Date(8.64e15))).toBeNull();
  });
});

describe('the window of a job', () => {
  const startAt = new Date('2026-09-01T10:00:00Z');
  const endAt = new Date('2026-09-01T12:00:00Z');

  it('includes slots on both of its ends', () => {
    expect(upcoming(ruleFor('@hourly', 'UTC', { startAt, endAt }), '2026-01-01T00:00:00Z', 10)).toEqual([
      '2026-09-01T10:00:00Z',
      '2026-09-01T11:00:00Z',
      '2026-09-01T12:00:00Z',
    ]);
  });

  it('is over for good after its end', () => {
    expect(nextSlot(ruleFor('@hourly', 'UTC', { endAt }), endAt)).toBeNull();
  });
});

describe('@every', () => {
  const anchorAt = new Date('2026-09-01T10:00:07.250Z');
  const rule = ruleFor('@every 90s', 'Europe/Berlin', { anchorAt });
  const isoAfter = (after: string): string | undefined => nextSlot(rule, new Date(after))?.toISOString();

  it('begins with its anchor', () => {
    expect(isoAfter('2020-01-01T00:00:00Z')).toBe('2026-09-01T10:00:07.250Z');
  });

  it('counts from its anchor at any later time', () => {
    expect(isoAfter('2026-09-01T10:00:07.250Z')).toBe('2026-09-01T10:01:37.250Z');
    expect(isoAfter('2026-09-01T10:01:37.249Z')).toBe('2026-09-01T10:01:37.250Z');
    expect(isoAfter('2026-09-01T10:05:00.000Z')).toBe('2026-09-01T10:06:07.250Z');
  });

  it('keeps its distance through a clock change', () => {
    const sixHours = ruleFor('@every 6h', 'Europe/Berlin', { anchorAt: new Date('2026-10-24T00:00:00Z') });
    const slots = upcomingSlots(sixHours, new Date('2026-10-24T00:00:00Z'), 12).map(Number);
    expect(new Set(slots.slice(1).map((slot, index) => slot - (slots[index] ?? 0)))).toEqual(
      new Set([6 * 3_600_000]),
    );
  });
});

describe('a single run', () => {
  const runAt = new Date('2026-09-01T10:00:00.500Z');
  const rule = { ...ruleFor('@daily'), schedule: { kind: 'ONCE', runAt } as const };

  it('is the only slot', () => {
    expect([...slotsAfter(rule, new Date('2026-01-01T00:00:00Z'))]).toEqual([runAt]);
    expect(nextSlot(rule, runAt)).toBeNull();
  });
});
