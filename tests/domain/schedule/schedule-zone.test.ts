import { describe, expect, it } from 'vitest';
import { checkTimezone, spanAt } from '../../../src/domain/schedule/schedule-zone.ts';
import { clockChanges } from './schedule-support.ts';

describe('checkTimezone', () => {
  it.each([
    ['Europe/Berlin', 'Europe/Berlin'],
    ['europe/berlin', 'Europe/Berlin'],
    ['AMERICA/PORT_OF_SPAIN', 'America/Port_of_Spain'],
    ['utc', 'UTC'],
    ['Etc/GMT+2', 'Etc/GMT+2'],
    ['Asia/Kolkata', 'Asia/Kolkata'],
    ['Europe/Kyiv', 'Europe/Kyiv'],
  ])('accepts %s as %s', (name, timezone) => {
    expect(checkTimezone(name)).toEqual({ kind: 'TIMEZONE', timezone });
  });

  it.each([
    '',
    ' ',
    'local',
    'system',
    'UTC+2',
    '+02:00',
    '-0500',
    'GMT+2',
    'Z',
    'CEST',
    'PST',
    'Europe/Berlin ',
    'Europe/Nowhere',
    'Europe/Berlin\0',
    'x'.repeat(10_000_000),
  ])('refuses %.20j', (name) => {
    const check = checkTimezone(name);
    expect(check.kind).toBe('INVALID');
    expect(check.kind === 'INVALID' && check.message.length).toBeLessThan(200);
  });

  it('accepts every zone that the runtime names', () => {
    const refused = Intl.supportedValuesOf('timeZone').filter(
      (name) => checkTimezone(name).kind === 'INVALID',
    );
    expect(refused).toEqual([]);
  });
});

describe('spanAt', () => {
  const berlin = clockChanges('Europe/Berlin').find(({ atMs }) => atMs > Date.UTC(2027, 5));
  const changeMs = berlin?.atMs ?? NaN;

  it('ends at the clock change, and the next span begins there', () => {
    const summer = spanAt('Europe/Berlin', changeMs - 1);
    const winter = spanAt('Europe/Berlin', changeMs);
    expect(summer).toMatchObject({ endMs: changeMs, offsetMs: 7_200_000, offsetAfterMs: 3_600_000 });
    expect(winter).toMatchObject({ startMs: changeMs, offsetMs: 3_600_000, offsetBeforeMs: 7_200_000 });
  });

  it('knows a change just before the year of the request', () => {
    // Singapore's clock went from 7:30 to 8:00 ahead of UTC on the last day of 1981.
    const change = Date.UTC(1981, 11, 31, 16);
    expect(spanAt('Asia/Singapore', Date.UTC(1982, 0, 1))).toMatchObject({
      startMs: change,
      offsetBeforeMs: 27_000_000,
    });
  });

  it('has no end when no change is known', () => {
    expect(spanAt('UTC', 0)).toMatchObject({
      endMs: Infinity,
      offsetMs: 0,
      offsetBeforeMs: 0,
      offsetAfterMs: 0,
    });
  });

  it('throws for an invalid zone name', () => {
    expect(() => spanAt('Europe/Nowhere', 0)).toThrow(RangeError);
  });
});
