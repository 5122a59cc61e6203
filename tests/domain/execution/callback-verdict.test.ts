import { describe, expect, it } from 'vitest';
import {
  cancelledWait,
  decideAfterCallback,
  decideAfterSilence,
  type CalledExecution,
} from '../../../src/domain/execution/callback-verdict.ts';
import type { CallbackReport } from '../../../src/domain/execution/callback-report.ts';
import { DEFAULT_RETRY_POLICY } from '../../../src/domain/execution/retry.ts';

const NOW = new Date('2030-01-07T09:00:00.000Z');
const DEADLINE = new Date('2030-01-07T08:59:59.000Z');
const RETRIED: CalledExecution = {
  jobType: 'ATLEAST_ONCE',
  retryPolicy: { ...DEFAULT_RETRY_POLICY, maxRetries: 1, initialDelayMs: 5_000 },
  retryCount: 0,
};

function report(fields: Partial<CallbackReport> = {}): CallbackReport {
  return { status: 'failure', message: null, output: null, retry: true, ...fields };
}

describe('a callback', () => {
  it('of success ends the execution as SUCCESS, with its report in the log', () => {
    expect(
      decideAfterCallback(RETRIED, report({ status: 'success', message: '12 rows' }), NOW, 0),
    ).toMatchObject({
      status: 'SUCCESS',
      failureReason: null,
      errorMessage: null,
      log: { level: 'INFO', message: 'The callback reported success: 12 rows.' },
    });
  });

  it('of failure is retried by the policy', () => {
    expect(decideAfterCallback(RETRIED, report({ message: 'Disk full!' }), NOW, 0)).toEqual({
      status: 'RETRYING',
      availableAt: new Date(NOW.getTime() + 5_000),
      failureReason: 'CALLBACK',
      errorMessage: 'The callback reported a failure: Disk full!',
      log: {
        level: 'WARN',
        message: 'The callback reported a failure: Disk full! Retrying in 5000 ms.',
      },
    });
  });

  it.each([
    ['where it asks for no retry', RETRIED, { retry: false }],
    ['where the retries are used up', { ...RETRIED, retryCount: 1 }, {}],
    ['where the job has no policy', { ...RETRIED, retryPolicy: null }, {}],
    ['where the job is ATMOST_ONCE', { ...RETRIED, jobType: 'ATMOST_ONCE' as const }, {}],
  ])('of failure is final %s', (_when, execution, fields) => {
    expect(decideAfterCallback(execution, report(fields), NOW, 0)).toMatchObject({
      status: 'FAILED',
      availableAt: null,
      failureReason: 'CALLBACK',
    });
  });

  it('that asks for no retry is logged as such', () => {
    expect(decideAfterCallback(RETRIED, report({ retry: false }), NOW, 0).errorMessage).toBe(
      'The callback reported a failure. It asked for no retry.',
    );
  });
});

describe('a callback that does not come', () => {
  it('is a timeout, retried by the policy', () => {
    expect(decideAfterSilence(RETRIED, DEADLINE, NOW, 0)).toMatchObject({
      status: 'RETRYING',
      availableAt: new Date(NOW.getTime() + 5_000),
      failureReason: 'TIMEOUT',
      errorMessage: 'No callback came until 2030-01-07T08:59:59.000Z.',
    });
  });

  it('is final for a job that is ATMOST_ONCE', () => {
    expect(decideAfterSilence({ ...RETRIED, jobType: 'ATMOST_ONCE' }, DEADLINE, NOW, 0)).toMatchObject({
      status: 'FAILED',
      failureReason: 'TIMEOUT',
    });
  });
});

it('A cancelled wait ends as CANCELLED, and is not a failure', () => {
  expect(cancelledWait()).toMatchObject({ status: 'CANCELLED', failureReason: null });
});
