import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { placeReports, THROTTLE_WINDOW_MS } from '../../src/domain/alert-throttle.ts';
import { plus, START } from '../support/manual-clock.ts';

const before = (ms: number) => plus(START, -ms);
const quiet = { dueAt: [], isGathering: false };

describe('reports', () => {
  it('are sent one by one while there are few', () => {
    expect(placeReports(3, quiet, 3, START)).toEqual({ sentNow: 3, gatherDueAt: null });
  });

  it('beyond the limit are gathered until a minute after the first of those that were sent', () => {
    expect(placeReports(10, quiet, 3, START)).toEqual({ sentNow: 3, gatherDueAt: plus(START, 60_000) });
    const dueAt = [before(50_000), before(20_000), before(1_000)];
    expect(placeReports(1, { dueAt, isGathering: false }, 3, START)).toEqual({
      sentNow: 0,
      gatherDueAt: plus(START, 10_000),
    });
  });

  it('are sent again as soon as a minute has passed', () => {
    const dueAt = [before(60_000), before(59_999), before(1)];
    expect(placeReports(2, { dueAt, isGathering: false }, 3, START)).toEqual({
      sentNow: 1,
      gatherDueAt: plus(before(59_999), 60_000),
    });
  });

  it('join what gathers, whatever room there is', () => {
    expect(placeReports(5, { dueAt: [], isGathering: true }, 3, START)).toEqual({
      sentNow: 0,
      gatherDueAt: null,
    });
  });
});

describe('a stream of reports', () => {
  /** How long after the one before a batch of so many reports comes. */
  const batches = fc.array(fc.tuple(fc.integer({ min: 0, max: 90_000 }), fc.integer({ min: 1, max: 12 })), {
    maxLength: 40,
  });
  const limits = fc.integer({ min: 1, max: 6 });

  /** Plays the stream with deliveries that are taken up when they are due; answers when they were, and what they tell. */
  function play(stream: readonly (readonly [number, number])[], limit: number) {
    const deliveries: { dueMs: number; reports: number; gathers: boolean }[] = [];
    let nowMs = START.getTime();
    for (const [waitMs, reports] of stream) {
      nowMs += waitMs;
      const gathering = deliveries.find(({ gathers, dueMs }) => gathers && dueMs > nowMs);
      const dueAt = deliveries.map(({ dueMs }) => new Date(dueMs));
      const sent = { dueAt, isGathering: gathering !== undefined };
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

  it('is told whole, each report once', () => {
    fc.assert(
      fc.property(batches, limits, (stream, limit) => {
        const told = play(stream, limit).reduce((sum, { reports }) => sum + reports, 0);
        expect(told).toBe(stream.reduce((sum, [, reports]) => sum + reports, 0));
      }),
    );
  });

  it('keeps nothing back for longer than a minute', () => {
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
