import { describe, expect, it } from 'vitest';
import { retryAfterMs } from '../../../src/domain/execution/retry-after.ts';

const now = new Date('1994-11-06T08:49:07.000Z');

describe('retryAfterMs', () => {
  it.each([
    ['seconds', '120', 120_000],
    ['seconds with space around them', ' 120 ', 120_000],
    ['a date of today', 'Sun, 06 Nov 1994 08:49:37 GMT', 30_000],
    ['a date in the RFC 850 spelling', 'Sunday, 06-Nov-94 08:49:37 GMT', 30_000],
    ['a date in the asctime spelling, which is UTC', 'Sun Nov  6 08:49:37 1994', 30_000],
    ['a date that has passed', 'Sat, 05 Nov 1994 08:49:37 GMT', 0],
  ])('reads %s', (_what, header, expected) => {
    expect(retryAfterMs(header, now)).toBe(expected);
  });

  it.each([
    null,
    '',
    '-1',
    '1.5',
    '1e3',
    '0x10',
    'tomorrow',
    '1994-11-06T08:49:37Z',
    'Sunday',
    `Sun${' '.repeat(100_000)}`,
  ])('reads nothing from %j', (header) => {
    expect(retryAfterMs(header, now)).toBeNull();
  });
});
