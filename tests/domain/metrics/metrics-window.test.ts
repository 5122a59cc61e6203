import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  BUCKET_MINUTES,
  bucketsOf,
  bucketStart,
  FOLDS,
  type MetricsWindow,
} from '../../../src/domain/metrics/metrics-window.ts';

const MINUTE_MS = 60_000;
const DAY_MS = 24 * 60 * MINUTE_MS;
/** A Wednesday. */
const NOW = new Date('2030-01-09T10:37:21.500Z');

const SPANS = { LAST_HOUR: 1 / 24, LAST_24H: 1, LAST_7D: 7, LAST_30D: 30 } as const;
const instant = fc.date({
  min: new Date('1970-01-01T00:00:00Z'),
  max: new Date('9999-12-31T00:00:00Z'),
  noInvalidDate: true,
});

describe('a window', () => {
  it.each([
    ['LAST_HOUR', '2030-01-09T09:35:00.000Z', 5],
    ['LAST_24H', '2030-01-08T10:00:00.000Z', 60],
    ['LAST_7D', '2030-01-02T00:00:00.000Z', 1440],
    ['LAST_30D', '2029-12-10T00:00:00.000Z', 1440],
  ] as const)('of %s begins at %s, in buckets of %i minutes', (window, from, minutes) => {
    expect(bucketsOf(window, NOW, null)).toEqual({ from: new Date(from), minutes });
  });

  it('contains the span of its name, and at most one more bucket', () => {
    fc.assert(
      fc.property(instant, fc.constantFrom(...Object.keys(SPANS)), (now, name) => {
        const { from, minutes } = bucketsOf(name as MetricsWindow, now, null);
        const spanMs = now.getTime() - from.getTime() - SPANS[name as keyof typeof SPANS] * DAY_MS;
        expect(spanMs).toBeGreaterThanOrEqual(0);
        expect(spanMs).toBeLessThan(minutes * MINUTE_MS);
      }),
    );
  });

  it.each([
    ['nothing was counted yet', null, '2030-01-09T10:35:00.000Z', BUCKET_MINUTES.finest],
    ['all is of the last hour', '2030-01-09T09:40:00Z', '2030-01-09T09:40:00.000Z', BUCKET_MINUTES.finest],
    ['all is of the last day', '2030-01-08T13:20:00Z', '2030-01-08T13:00:00.000Z', BUCKET_MINUTES.hour],
    ['all is of the last month', '2029-12-20T13:00:00Z', '2029-12-20T00:00:00.000Z', BUCKET_MINUTES.day],
    ['all is of the last year', '2029-06-06T00:00:00Z', '2029-06-04T00:00:00.000Z', BUCKET_MINUTES.week],
    ['it is older', '2026-07-01T00:00:00Z', '2026-04-27T00:00:00.000Z', BUCKET_MINUTES.quarter],
  ])('of all time has buckets that depend on its age: %s', (_, firstAt, from, minutes) => {
    const first = firstAt === null ? null : new Date(firstAt);
    expect(bucketsOf('ALL_TIME', NOW, first)).toEqual({ from: new Date(from), minutes });
  });

  it('of all time never has more buckets than a chart can show', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 12 * 365 }), (days) => {
        const { from, minutes } = bucketsOf('ALL_TIME', NOW, new Date(NOW.getTime() - days * DAY_MS));
        expect((NOW.getTime() - from.getTime()) / (minutes * MINUTE_MS)).toBeLessThan(60);
      }),
    );
  });
});

describe('buckets', () => {
  it('nest: each longer one begins where a shorter one begins', () => {
    const lengths = Object.values(BUCKET_MINUTES);
    fc.assert(
      fc.property(instant, (at) => {
        for (const [index, minutes] of lengths.entries()) {
          const start = bucketStart(at, minutes);
          expect(start.getTime()).toBeLessThanOrEqual(at.getTime());
          expect(at.getTime() - start.getTime()).toBeLessThan(minutes * MINUTE_MS);
          expect(bucketStart(start, lengths[index - 1] ?? minutes)).toEqual(start);
        }
      }),
    );
  });

  it('of a week begin on Monday', () => {
    expect(bucketStart(NOW, BUCKET_MINUTES.week)).toEqual(new Date('2030-01-07T00:00:00.000Z'));
  });

  it('are not folded while a window consists of shorter ones', () => {
    for (const { intoMinutes, afterMs } of FOLDS) {
      const shorter = (Object.keys(SPANS) as MetricsWindow[])
        .map((window) => bucketsOf(window, NOW, null))
        .filter(({ minutes }) => minutes < intoMinutes);
      for (const { from } of shorter) {
        const foldedUntil = bucketStart(new Date(NOW.getTime() - afterMs), intoMinutes);
        expect(foldedUntil.getTime()).toBeLessThanOrEqual(from.getTime());
      }
    }
  });
});
