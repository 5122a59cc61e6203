import { describe, expect, it } from 'vitest';
import { between, ruleFor } from './schedule-support.ts';

describe('a clock change', () => {
  // Columns: zone, schedule, policy, the time span (in UTC), day and time (in UTC) of its slots.
  const SHIFT = { dstGapPolicy: 'SHIFT' } as const;
  const SKIP = { dstGapPolicy: 'SKIP' } as const;
  const FIRST = { dstOverlapPolicy: 'FIRST' } as const;
  const LAST = { dstOverlapPolicy: 'LAST' } as const;
  const BOTH = { dstOverlapPolicy: 'BOTH' } as const;

  it.each([
    [
      'Europe/Berlin',
      '0 30 2 * * *',
      SHIFT,
      '2027-03-27T12:00Z',
      '2027-03-29T12:00Z',
      ['28T01:30', '29T00:30'],
    ],
    ['Europe/Berlin', '0 30 2 * * *', SKIP, '2027-03-27T12:00Z', '2027-03-29T12:00Z', ['29T00:30']],
    ['Europe/Berlin', '0 0 2,3 * * *', SHIFT, '2027-03-27T12:00Z', '2027-03-28T12:00Z', ['28T01:00']],
    [
      'Europe/Berlin',
      '0 0,30 2,3 * * *',
      SHIFT,
      '2027-03-27T12:00Z',
      '2027-03-28T12:00Z',
      ['28T01:00', '28T01:30'],
    ],
    ['Europe/Berlin', '0 20 2,3 * * *', SHIFT, '2027-03-27T12:00Z', '2027-03-28T12:00Z', ['28T01:20']],
    ['Europe/Berlin', '0 45 2 * * *', SHIFT, '2027-03-27T12:00Z', '2027-03-28T12:00Z', ['28T01:45']],
    ['Europe/Berlin', '0 15 3 * * *', SHIFT, '2027-03-27T12:00Z', '2027-03-28T12:00Z', ['28T01:15']],
    [
      'America/New_York',
      '0 30 2 * * *',
      SHIFT,
      '2027-03-14T00:00Z',
      '2027-03-15T12:00Z',
      ['14T07:30', '15T06:30'],
    ],
    [
      'Australia/Lord_Howe',
      '0 15 2 * * *',
      SHIFT,
      '2026-10-03T00:00Z',
      '2026-10-04T20:00Z',
      ['03T15:45', '04T15:15'],
    ],
    ['Australia/Lord_Howe', '0 15 2 * * *', SKIP, '2026-10-03T00:00Z', '2026-10-04T20:00Z', ['04T15:15']],
    [
      'America/Nuuk',
      '0 30 23 * * *',
      SHIFT,
      '2027-03-27T12:00Z',
      '2027-03-29T12:00Z',
      ['28T01:30', '29T00:30'],
    ],
    [
      'America/Scoresbysund',
      '0 30 23 * * *',
      SHIFT,
      '2027-03-27T12:00Z',
      '2027-03-29T12:00Z',
      ['28T01:30', '29T00:30'],
    ],
    [
      'America/Havana',
      '0 0 0 * * *',
      SHIFT,
      '2027-03-13T12:00Z',
      '2027-03-15T12:00Z',
      ['14T05:00', '15T04:00'],
    ],
    ['America/Havana', '0 0 0 * * *', SKIP, '2027-03-13T12:00Z', '2027-03-15T12:00Z', ['15T04:00']],
    [
      'Antarctica/Troll',
      '0 30 1,2 * * *',
      SHIFT,
      '2027-03-27T12:00Z',
      '2027-03-28T12:00Z',
      ['28T01:30', '28T02:30'],
    ],
    [
      'Africa/Casablanca',
      '0 30 2 * * *',
      SHIFT,
      '2026-03-21T12:00Z',
      '2026-03-23T12:00Z',
      ['22T02:30', '23T01:30'],
    ],
    // Samoa skipped 30 December 2011, a Friday, to move across the date line.
    ['Pacific/Apia', '0 0 12 ? * FRI', SHIFT, '2011-12-29T00:00Z', '2012-01-03T00:00Z', ['30T22:00']],
    ['Pacific/Apia', '0 0 12 ? * FRI', SKIP, '2011-12-29T00:00Z', '2012-01-03T00:00Z', []],
    [
      'Pacific/Apia',
      '0 0 12 * * *',
      SHIFT,
      '2011-12-29T00:00Z',
      '2012-01-01T00:00Z',
      ['29T22:00', '30T22:00', '31T22:00'],
    ],
  ])('forward in %s: %s under %j', (zone, text, policy, after, until, expected) => {
    const slots = between(ruleFor(text, zone, policy), after, until);
    expect(slots.map((slot) => slot.slice(8, 16))).toEqual(expected);
  });

  it.each([
    [
      'Europe/Berlin',
      '0 30 2 * * *',
      FIRST,
      '2026-10-24T12:00Z',
      '2026-10-26T12:00Z',
      ['25T00:30', '26T01:30'],
    ],
    [
      'Europe/Berlin',
      '0 30 2 * * *',
      LAST,
      '2026-10-24T12:00Z',
      '2026-10-26T12:00Z',
      ['25T01:30', '26T01:30'],
    ],
    [
      'Europe/Berlin',
      '0 30 2 * * *',
      BOTH,
      '2026-10-24T12:00Z',
      '2026-10-25T12:00Z',
      ['25T00:30', '25T01:30'],
    ],
    [
      'Europe/Berlin',
      '0 0,30 2 * * *',
      BOTH,
      '2026-10-24T12:00Z',
      '2026-10-25T12:00Z',
      ['25T00:00', '25T00:30', '25T01:00', '25T01:30'],
    ],
    [
      'Europe/Berlin',
      '0 0,30 1,2,3 * * *',
      LAST,
      '2026-10-24T12:00Z',
      '2026-10-25T12:00Z',
      ['24T23:00', '24T23:30', '25T01:00', '25T01:30', '25T02:00', '25T02:30'],
    ],
    [
      'America/New_York',
      '0 30 1 * * *',
      FIRST,
      '2026-11-01T00:00Z',
      '2026-11-02T12:00Z',
      ['01T05:30', '02T06:30'],
    ],
    [
      'Australia/Lord_Howe',
      '0 45 1 * * *',
      FIRST,
      '2026-04-04T00:00Z',
      '2026-04-05T20:00Z',
      ['04T14:45', '05T15:15'],
    ],
    ['Australia/Lord_Howe', '0 45 1 * * *', LAST, '2026-04-04T00:00Z', '2026-04-05T12:00Z', ['04T15:15']],
    ['Australia/Lord_Howe', '0 15 1 * * *', BOTH, '2026-04-04T00:00Z', '2026-04-05T12:00Z', ['04T14:15']],
    [
      'America/Nuuk',
      '0 30 23 * * *',
      FIRST,
      '2026-10-24T12:00Z',
      '2026-10-26T12:00Z',
      ['25T00:30', '26T01:30'],
    ],
    [
      'America/Nuuk',
      '0 30 23 * * *',
      BOTH,
      '2026-10-24T12:00Z',
      '2026-10-25T12:00Z',
      ['25T00:30', '25T01:30'],
    ],
    [
      'America/Havana',
      '0 0 0 * * *',
      FIRST,
      '2026-10-31T12:00Z',
      '2026-11-02T12:00Z',
      ['01T04:00', '02T05:00'],
    ],
    [
      'America/Havana',
      '0 0 0 * * *',
      LAST,
      '2026-10-31T12:00Z',
      '2026-11-02T12:00Z',
      ['01T05:00', '02T05:00'],
    ],
    [
      'Antarctica/Troll',
      '0 30 1,2 * * *',
      BOTH,
      '2026-10-24T12:00Z',
      '2026-10-25T12:00Z',
      ['24T23:30', '25T00:30', '25T01:30', '25T02:30'],
    ],
    [
      'Africa/Casablanca',
      '0 30 2 * * *',
      FIRST,
      '2027-02-06T12:00Z',
      '2027-02-08T12:00Z',
      ['07T01:30', '08T02:30'],
    ],
  ])('back in %s: %s under %j', (zone, text, policy, after, until, expected) => {
    const slots = between(ruleFor(text, zone, policy), after, until);
    expect(slots.map((slot) => slot.slice(8, 16))).toEqual(expected);
  });

  it.each([
    // Every two hours: a run in the gap comes two hours after the run before, a time that occurs twice runs once.
    [
      'Europe/Berlin',
      '0 0 */2 * * *',
      '2027-03-27T22:00Z',
      '2027-03-28T05:00Z',
      ['27T23:00', '28T01:00', '28T02:00', '28T04:00'],
    ],
    [
      'Europe/Berlin',
      '0 0 */2 * * *',
      '2026-10-24T21:00Z',
      '2026-10-25T06:00Z',
      ['24T22:00', '25T00:00', '25T03:00', '25T05:00'],
    ],
    // Troll changes its clock by two hours, so every two hours stays every two hours.
    [
      'Antarctica/Troll',
      '0 0 */2 * * *',
      '2027-03-27T21:00Z',
      '2027-03-28T05:00Z',
      ['27T22:00', '28T00:00', '28T02:00', '28T04:00'],
    ],
    [
      'Antarctica/Troll',
      '0 0 */2 * * *',
      '2026-10-24T21:00Z',
      '2026-10-25T05:00Z',
      ['24T22:00', '25T00:00', '25T02:00', '25T04:00'],
    ],
    // Every full hour, in a zone whose clock skips or repeats half an hour: each time it shows :00.
    [
      'Australia/Lord_Howe',
      '0 0 * * * *',
      '2026-10-03T14:00Z',
      '2026-10-03T17:30Z',
      ['03T14:30', '03T16:00', '03T17:00'],
    ],
    [
      'Australia/Lord_Howe',
      '0 0 * * * *',
      '2026-04-04T13:30Z',
      '2026-04-04T17:00Z',
      ['04T14:00', '04T15:30', '04T16:30'],
    ],
  ])('ignores the policies for an interval in %s: %s after %s', (zone, text, after, until, expected) => {
    for (const dstGapPolicy of ['SHIFT', 'SKIP'] as const) {
      for (const dstOverlapPolicy of ['FIRST', 'LAST', 'BOTH'] as const) {
        const slots = between(ruleFor(text, zone, { dstGapPolicy, dstOverlapPolicy }), after, until);
        expect(slots.map((slot) => slot.slice(8, 16))).toEqual(expected);
      }
    }
  });
});
