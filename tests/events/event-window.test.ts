import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createEventWindow } from '../../src/events/event-window.ts';
import type { EventRow } from '../../src/store/events/event-row.ts';

describe('the window', () => {
  it('starts empty, with floor and tip at its start', () => {
    const window = createEventWindow(7n, 4);
    expect([window.floor, window.tip]).toEqual([7n, 7n]);
    expect(window.after(7n, 10)).toEqual([]);
  });

  it('contains every event in (floor, tip], with any events in any batches', () => {
    const portions = fc.array(fc.array(fc.integer({ min: 1, max: 3 }), { maxLength: 30 }), { maxLength: 20 });
    fc.assert(
      fc.property(portions, fc.integer({ min: 1, max: 40 }), (gaps, capacity) => {
        const window = createEventWindow(10n, capacity);
        const all: bigint[] = [];
        let position = 10n;
        for (const portion of gaps) {
          const events = portion.map((gap) => {
            position += BigInt(gap);
            return event(position);
          });
          window.append(events);
          all.push(...events.map((each) => each.position));
        }
        expect(window.tip).toBe(position);
        for (let at = window.floor; at <= window.tip; at += 1n) {
          expect(positionsOf(window.after(at, 5))).toEqual(all.filter((each) => each > at).slice(0, 5));
        }
        expect(positionsOf(window.after(window.floor, Infinity)).length).toBeLessThan(2 * capacity);
      }),
      { numRuns: 50 },
    );
  });

  it('keeps at least its capacity once that many have arrived', () => {
    const window = createEventWindow(0n, 10);
    for (let position = 1n; position <= 100n; position += 1n) {
      window.append([event(position)]);
      const wanted = position < 10n ? Number(position) : 10;
      expect(window.after(window.floor, Infinity).length).toBeGreaterThanOrEqual(wanted);
    }
  });
  it('is filled while a subscriber is no further behind than its size', () => {
    const window = createEventWindow(100n, 40);
    window.append([event(140n)]);
    expect(window.isKeptUpWith).toBe(true);
    window.append([event(141n)]);
    expect(window.isKeptUpWith).toBe(false);
    window.reached(101n);
    expect(window.isKeptUpWith).toBe(true);
  });

  it('is filled again after a skip, when a subscriber is within a quarter of that', () => {
    const window = createEventWindow(100n, 40);
    window.skipTo(200n);
    expect(window.isKeptUpWith).toBe(false);
    window.reached(189n);
    expect(window.isKeptUpWith).toBe(false);
    window.reached(190n);
    window.reached(150n);
    expect(window.isKeptUpWith).toBe(true);
  });

  it('contains nothing of the skipped events, and continues after them', () => {
    const window = createEventWindow(0n, 40);
    window.append([event(1n), event(2n)]);
    window.skipTo(50n);
    expect([window.floor, window.tip]).toEqual([50n, 50n]);
    expect(window.after(50n, 10)).toEqual([]);
    window.append([event(51n)]);
    expect(positionsOf(window.after(50n, 10))).toEqual([51n]);
  });
});

function event(position: bigint): EventRow {
  return { position } as EventRow;
}

function positionsOf(events: readonly EventRow[]): bigint[] {
  return events.map((each) => each.position);
}
