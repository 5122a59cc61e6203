import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ALERT_EVENTS, type AlertEvent } from '../../../src/domain/alert/alert.ts';
import {
  applyTransition,
  type AlertState,
  type JobTransition,
} from '../../../src/domain/alert/alert-rules.ts';

const NEW: AlertState = { failuresInRow: 0, isFailing: false };
const EVERYTHING = { events: [...ALERT_EVENTS], failureThreshold: 1, latenessThresholdMs: 60_000 };

/** What an alert reports for a series of transitions. */
function tell(rule: typeof EVERYTHING, transitions: readonly JobTransition[]): AlertEvent[][] {
  let state = NEW;
  return transitions.map((transition) => {
    const result = applyTransition(rule, state, transition);
    state = result.state;
    return result.reports.map(({ event }) => event);
  });
}

/** One letter per run: F failed, S succeeded, K skipped. */
function runs(letters: string): JobTransition[] {
  return Array.from(letters, (letter): JobTransition => {
    if (letter === 'F') return { kind: 'FAILED' };
    return letter === 'S' ? { kind: 'SUCCEEDED' } : { kind: 'SKIPPED', isManual: false };
  });
}

const someRuns = fc
  .array(fc.constantFrom('F', 'S', 'K'), { maxLength: 60 })
  .map((letters) => letters.join(''));
const threshold = fc.integer({ min: 1, max: 5 });

function eventsOf(letters: string, failureThreshold: number): AlertEvent[] {
  return tell({ ...EVERYTHING, failureThreshold }, runs(letters)).flat();
}

function count(events: readonly AlertEvent[], event: AlertEvent): number {
  return events.filter((each) => each === event).length;
}

describe('failures', () => {
  it.each([
    ['one of them, where one is enough', 'F', 1, [['FAILED', 'DEAD_LETTERED']]],
    ['too few', 'FF', 3, [['DEAD_LETTERED'], ['DEAD_LETTERED']]],
    ['the first that are enough', 'FF', 2, [['DEAD_LETTERED'], ['FAILED', 'DEAD_LETTERED']]],
    ['further ones', 'FFF', 1, [['FAILED', 'DEAD_LETTERED'], ['DEAD_LETTERED'], ['DEAD_LETTERED']]],
    [
      'a success after them',
      'FS',
      1,
      [
        ['FAILED', 'DEAD_LETTERED'],
        ['RECOVERED', 'SUCCEEDED'],
      ],
    ],
    ['a success after too few', 'FS', 2, [['DEAD_LETTERED'], ['SUCCEEDED']]],
    ['a skipped run between them', 'FKF', 2, [['DEAD_LETTERED'], ['SKIPPED'], ['FAILED', 'DEAD_LETTERED']]],
  ] as const)('are reported: %s', (_what, letters, failureThreshold, told) => {
    expect(tell({ ...EVERYTHING, failureThreshold }, runs(letters))).toEqual(told);
  });

  it('are reported once per row that reaches the threshold, and their end once', () => {
    fc.assert(
      fc.property(someRuns, threshold, (letters, failureThreshold) => {
        const rows = letters.replaceAll('K', '').split('S');
        const reached = rows.filter((row) => row.length >= failureThreshold).length;
        const isOpen = (rows.at(-1)?.length ?? 0) >= failureThreshold;
        const events = eventsOf(letters, failureThreshold);
        expect(count(events, 'FAILED')).toBe(reached);
        expect(count(events, 'RECOVERED')).toBe(isOpen ? reached - 1 : reached);
      }),
    );
  });

  it('and recoveries alternate, beginning with a failure', () => {
    fc.assert(
      fc.property(someRuns, threshold, (letters, failureThreshold) => {
        const turns = eventsOf(letters, failureThreshold).filter(
          (event) => event === 'FAILED' || event === 'RECOVERED',
        );
        turns.forEach((event, index) => {
          expect(event).toBe(index % 2 === 0 ? 'FAILED' : 'RECOVERED');
        });
      }),
    );
  });

  it('include their number, and a recovery includes the number before it', () => {
    const rule = { ...EVERYTHING, failureThreshold: 2 };
    const failed = applyTransition(rule, { failuresInRow: 1, isFailing: false }, { kind: 'FAILED' });
    expect(failed.reports[0]).toEqual({ event: 'FAILED', failuresInRow: 2, isFailing: true });
    const recovered = applyTransition(rule, { failuresInRow: 7, isFailing: true }, { kind: 'SUCCEEDED' });
    expect(recovered.reports[0]).toEqual({ event: 'RECOVERED', failuresInRow: 7, isFailing: false });
  });

  it('that reach a lowered threshold are reported with the next one', () => {
    const state = { failuresInRow: 4, isFailing: false };
    const { reports } = applyTransition({ ...EVERYTHING, failureThreshold: 2 }, state, { kind: 'FAILED' });
    expect(reports.map(({ event }) => event)).toContain('FAILED');
  });
});

describe('every run', () => {
  it('is reported with its result', () => {
    fc.assert(
      fc.property(someRuns, threshold, (letters, failureThreshold) => {
        const events = eventsOf(letters, failureThreshold);
        const runsOf = (letter: string) => letters.split(letter).length - 1;
        expect(count(events, 'DEAD_LETTERED')).toBe(runsOf('F'));
        expect(count(events, 'SUCCEEDED')).toBe(runsOf('S'));
        expect(count(events, 'SKIPPED')).toBe(runsOf('K'));
      }),
    );
  });

  it('is reported only when the alert asks for it, in any state', () => {
    const subset = fc.subarray([...ALERT_EVENTS]);
    fc.assert(
      fc.property(someRuns, threshold, subset, (letters, failureThreshold, events) => {
        const rule = { ...EVERYTHING, failureThreshold };
        const all = tell(rule, runs(letters)).flat();
        const some = tell({ ...rule, events }, runs(letters)).flat();
        expect(some).toEqual(all.filter((event) => events.includes(event)));
      }),
    );
  });

  it('that a user skipped by hand is not reported', () => {
    expect(tell(EVERYTHING, [{ kind: 'SKIPPED', isManual: true }])).toEqual([[]]);
  });
});

describe('lateness', () => {
  const started = (facts: Partial<Extract<JobTransition, { kind: 'STARTED' }>>): JobTransition => ({
    kind: 'STARTED',
    attempt: 1,
    latenessMs: 60_001,
    isKnownLate: false,
    ...facts,
  });

  it.each([
    ['beyond the limit', started({}), ['LATE']],
    ['at the limit', started({ latenessMs: 60_000 }), []],
    ['of a run without a slot', started({ latenessMs: null }), []],
    ['of a later attempt', started({ attempt: 2 }), []],
    ['that was told while it waited', started({ isKnownLate: true }), []],
    ['of what has not started', { kind: 'OVERDUE' }, ['LATE']],
  ] as const)('%s', (_what, transition, told) => {
    expect(tell(EVERYTHING, [transition])).toEqual([told]);
  });

  it('does not change the failures', () => {
    const state = { failuresInRow: 3, isFailing: true };
    expect(applyTransition(EVERYTHING, state, started({})).state).toEqual(state);
  });
});
