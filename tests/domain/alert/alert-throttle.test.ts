import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { oppositeOf, placeReports, THROTTLE_WINDOW_MS } from '../../../src/domain/alert/alert-throttle.ts';
import { plus, START } from '../../support/manual-clock.ts';

const before = (ms: number) => plus(START, -ms);
const quiet = { dueAt: [], gatheringDueAt: null, oppositeDueAt: null };

describe('reports', () => {
  it('are sent one by one while they are few', () => {
    expect(placeReports(3, quiet, 3, START)).toEqual({ sentNow: 3, gatherDueAt: null });
  });

  it('beyond the limit are collected until a minute after the first one that was sent', () => {
    expect(placeReports(10, quiet, 3, START)).toEqual({ sentNow: 3, gatherDueAt: plus(START, 60_000) });
    const dueAt = [before(50_000), before(20_000), before(1_000)];
    expect(placeReports(1, { ...quiet, dueAt }, 3, START)).toEqual({
      sentNow: 0,
      gatherDueAt: plus(START, 10_000),
    });
  });

  it('are sent again as soon as a minute has passed', () => {
    const dueAt = [before(60_000), before(59_999), before(1)];
    expect(placeReports(2, { ...quiet, dueAt }, 3, START)).toEqual({
      sentNow: 1,
      gatherDueAt: plus(before(59_999), 60_000),
    });
  });

  it('join an open collection, even when there is room', () => {
    const gatheringDueAt = plus(START, 5_000);
    expect(placeReports(5, { ...quiet, gatheringDueAt }, 3, START)).toEqual({
      sentNow: 0,
      gatherDueAt: gatheringDueAt,
    });
  });

  it('that join a collection move it behind the collection of their opposite', () => {
    const gatheringDueAt = plus(START, 5_000);
    const dueAfter = (oppositeMs: number) => {
      const oppositeDueAt = plus(START, oppositeMs);
      return placeReports(1, { ...quiet, gatheringDueAt, oppositeDueAt }, 3, START).gatherDueAt;
    };
    expect(dueAfter(4_999)).toEqual(gatheringDueAt);
    expect(dueAfter(5_000)).toEqual(plus(START, 5_001));
    expect(dueAfter(9_000)).toEqual(plus(START, 9_001));
  });

  it('wait behind the collection of their opposite, even when there is room', () => {
    const waiting = { ...quiet, oppositeDueAt: plus(START, 9_000) };
    expect(placeReports(2, waiting, 3, START)).toEqual({ sentNow: 1, gatherDueAt: plus(START, 9_001) });
    const overdue = { ...quiet, oppositeDueAt: before(1) };
    expect(placeReports(2, overdue, 3, START)).toEqual({ sentNow: 2, gatherDueAt: null });
  });
});

describe('a stream of reports', () => {
  /** The time between a batch of this many reports and the batch before it. */
  const batches = fc.array(fc.tuple(fc.integer({ min: 0, max: 90_000 }), fc.integer({ min: 1, max: 12 })), {
    maxLength: 40,
  });
  const limits = fc.integer({ min: 1, max: 6 });

  /** Plays the stream with deliveries that start when they are due. Returns their due times and their reports. */
  function play(stream: readonly (readonly [number, number])[], limit: number) {
    const deliveries: { dueMs: number; reports: number; gathers: boolean }[] = [];
    let nowMs = START.getTime();
    for (const [waitMs, reports] of stream) {
      nowMs += waitMs;
      const gathering = deliveries.find(({ gathers, dueMs }) => gathers && dueMs > nowMs);
      const dueAt = deliveries.map(({ dueMs }) => new Date(dueMs));
      const gatheringDueAt = gathering ? new Date(gathering.dueMs) : null;
      const sent = { dueAt, gatheringDueAt, oppositeDueAt: null };
      const { sentNow, gatherDueAt } = placeReports(reports, sent, limit, new Date(nowMs));
      for (let n = 0; n < sentNow; n += 1) deliveries.push({ dueMs: nowMs, reports: 1, gathers: false });
      if (gathering) gathering.reports += reports;
      else if (gatherDueAt)
        deliveries.push({ dueMs: gatherDueAt.getTime(), reports: reports - sentNow, gathers: true });
    }
    return deliveries;
  }

  it('never makes more deliveries due within a minute than the limit', () => {
    fc.assert(
      fc.property(batches, limits, (stream, limit) => {
        const dueMs = play(stream, limit).map((delivery) => delivery.dueMs);
        for (const endMs of dueMs) {
          const within = dueMs.filter((ms) => ms > endMs - THROTTLE_WINDOW_MS && ms <= endMs);
          expect(within.length).toBeLessThanOrEqual(limit);
        }
      }),
    );
  });

  it('is reported completely, each report once', () => {
    fc.assert(
      fc.property(batches, limits, (stream, limit) => {
        const told = play(stream, limit).reduce((sum, { reports }) => sum + reports, 0);
        expect(told).toBe(stream.reduce((sum, [, reports]) => sum + reports, 0));
      }),
    );
  });

  it('delays no report for longer than a minute', () => {
    fc.assert(
      fc.property(batches, limits, (stream, limit) => {
        let nowMs = START.getTime();
        for (const [index, [waitMs]] of stream.entries()) {
          nowMs += waitMs;
          for (const { dueMs } of play(stream.slice(0, index + 1), limit)) {
            expect(dueMs).toBeLessThanOrEqual(nowMs + THROTTLE_WINDOW_MS);
          }
        }
      }),
    );
  });
});

describe('two streams that contradict each other', () => {
  type Event = 'FAILED' | 'RECOVERED';
  const waits = fc.array(fc.integer({ min: 0, max: 40_000 }), { minLength: 1, maxLength: 60 });

  /** Plays them alternately, each report separately. Returns the reports in the order of their due times. */
  function play(waitsMs: readonly number[], limit: number) {
    const deliveries: { event: Event; dueMs: number; reports: number; gathers: boolean }[] = [];
    let nowMs = START.getTime();
    for (const [index, waitMs] of waitsMs.entries()) {
      nowMs += waitMs;
      const event: Event = index % 2 === 0 ? 'FAILED' : 'RECOVERED';
      const gathering = (of: Event) =>
        deliveries.find((one) => one.event === of && one.gathers && one.dueMs > nowMs);
      const dueAtOf = (of: Event) => {
        const dueMs = gathering(of)?.dueMs;
        return dueMs === undefined ? null : new Date(dueMs);
      };
      const dueAt = deliveries.filter((one) => one.event === event).map(({ dueMs }) => new Date(dueMs));
      const oppositeDueAt = dueAtOf(oppositeOf(event) as Event);
      const sent = { dueAt, gatheringDueAt: dueAtOf(event), oppositeDueAt };
      const { sentNow, gatherDueAt } = placeReports(1, sent, limit, new Date(nowMs));
      const joined = gathering(event);
      if (sentNow === 1) deliveries.push({ event, dueMs: nowMs, reports: 1, gathers: false });
      else if (gatherDueAt && joined) {
        joined.reports += 1;
        joined.dueMs = gatherDueAt.getTime();
      } else if (gatherDueAt) {
        deliveries.push({ event, dueMs: gatherDueAt.getTime(), reports: 1, gathers: true });
      }
    }
    // Reports that were sent at once come in the order of their creation.
    return deliveries.toSorted((a, b) => a.dueMs - b.dueMs);
  }

  it('end with the final state, each report once and no stream above the limit', () => {
    fc.assert(
      fc.property(waits, fc.integer({ min: 1, max: 4 }), (waitsMs, limit) => {
        const told = play(waitsMs, limit);
        expect(told.at(-1)?.event).toBe(waitsMs.length % 2 === 1 ? 'FAILED' : 'RECOVERED');
        expect(told.reduce((sum, { reports }) => sum + reports, 0)).toBe(waitsMs.length);
        for (const { event, dueMs } of told) {
          const within = told.filter(
            (one) => one.event === event && one.dueMs > dueMs - THROTTLE_WINDOW_MS && one.dueMs <= dueMs,
          );
          expect(within.length).toBeLessThanOrEqual(limit);
        }
      }),
    );
  });
});
