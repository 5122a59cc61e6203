import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ALERT_EVENTS } from '../../../src/domain/alert/alert.ts';
import { wordNotice } from '../../../src/domain/alert/alert-text.ts';
import { notice } from '../../support/alerts.ts';

describe('the title of a notice', () => {
  it.each([
    [{ event: 'FAILED', failuresInRow: 1 }, 'Nightly report failed'],
    [{ event: 'FAILED', failuresInRow: 3 }, 'Nightly report failed 3 times in a row'],
    [{ event: 'RECOVERED', failuresInRow: 1 }, 'Nightly report works again after a failure'],
    [{ event: 'RECOVERED', failuresInRow: 3 }, 'Nightly report works again after 3 failures'],
    [{ event: 'DEAD_LETTERED' }, 'Nightly report has a new dead letter (HTTP_STATUS)'],
    [{ event: 'SUCCEEDED' }, 'Nightly report succeeded'],
    [{ event: 'SUCCEEDED', isTest: true }, 'Test of an alert of Nightly report'],
    [
      { event: 'FAILED', occurrences: 37, firstAt: '2030-01-07T09:00:00.000Z' },
      'Nightly report: FAILED 37 times since 2030-01-07 09:00:00 UTC',
    ],
  ] as const)('states what happened: %j', (facts, title) => {
    expect(wordNotice(notice(facts)).title).toBe(title);
  });

  it('states how late a run started, or that it has not started', () => {
    const { execution } = notice();
    const late = notice({ event: 'LATE', execution: execution && { ...execution, latenessMs: 95_400 } });
    expect(wordNotice(late).title).toBe('Nightly report started 95 s late');
    const waiting = notice({ event: 'LATE', execution: execution && { ...execution, startedAt: null } });
    expect(wordNotice(waiting).title).toBe(
      'Nightly report has not started its run of 2030-01-07 09:00:00 UTC',
    );
  });

  it('states why a run was skipped', () => {
    const { execution } = notice();
    const skipped = notice({
      event: 'SKIPPED',
      execution: execution && { ...execution, skipReason: 'OVERLAP' },
    });
    expect(wordNotice(skipped).title).toBe('Nightly report was skipped (OVERLAP)');
  });

  it('is one line of at most 150 characters, and so is each fact, for any text in job and answer', () => {
    const text = fc.string({ unit: 'binary', maxLength: 300 });
    fc.assert(
      fc.property(text, text, fc.constantFrom(...ALERT_EVENTS), (name, errorMessage, event) => {
        const plain = notice({ event });
        const { title, facts } = wordNotice({
          ...plain,
          job: { ...plain.job, name },
          execution: plain.execution && { ...plain.execution, errorMessage },
        });
        expect(title.length).toBeLessThanOrEqual(150);
        for (const line of [title, ...facts.map(({ value }) => value)]) {
          expect(line).not.toMatch(/[\p{Cc}\u2028\u2029]/u);
          expect(line.isWellFormed()).toBe(true);
        }
      }),
    );
  });
});
