import { describe, expect, it } from 'vitest';
import type { AttemptOutcome, RespondedOutcome } from '../../../src/domain/execution/outcome.ts';
import { DEFAULT_RETRY_POLICY } from '../../../src/domain/execution/retry.ts';
import {
  decideAfterAttempt,
  decideUncalled,
  type AttemptedExecution,
} from '../../../src/domain/execution/verdict.ts';

const NOW = new Date('2030-01-07T09:00:00.000Z');

const execution: AttemptedExecution = {
  jobType: 'ATLEAST_ONCE',
  successStatuses: ['2xx'],
  retryPolicy: DEFAULT_RETRY_POLICY,
  retryCount: 0,
  rescueCount: 0,
};
const atMostOnce: AttemptedExecution = { ...execution, jobType: 'ATMOST_ONCE' };

describe('after an answer', () => {
  it('of success the execution succeeds', () => {
    expect(decide(execution, answered(204))).toEqual({
      status: 'SUCCESS',
      availableAt: null,
      failureReason: null,
      errorMessage: null,
      log: { level: 'INFO', message: 'The target answered with status 204.' },
    });
  });

  it('that is retryable it waits for its retry, and has not failed yet', () => {
    expect(decide({ ...execution, retryCount: 1 }, answered(503))).toEqual({
      status: 'RETRYING',
      availableAt: new Date(NOW.getTime() + 2_000),
      failureReason: 'HTTP_STATUS',
      errorMessage: 'The target answered with status 503.',
      log: { level: 'WARN', message: 'The target answered with status 503. Retrying in 2000 ms.' },
    });
  });

  it('with a Retry-After it waits as long as the target asks', () => {
    const resting = decide(execution, { ...answered(429), retryAfter: '30' });
    expect(resting.availableAt).toEqual(new Date(NOW.getTime() + 30_000));
  });

  it.each([
    [
      'all retries are used up',
      { ...execution, retryCount: 3 },
      answered(503),
      'Final: all retries are used up.',
    ],
    ['its status is not retried', execution, answered(404), 'Final: a failure of this kind is not retried.'],
    [
      'the target asks for no retry',
      execution,
      { ...answered(503), noRetry: true },
      'a failure of this kind',
    ],
    [
      'the job has no policy',
      { ...execution, retryPolicy: null },
      answered(503),
      'the job has no retry policy.',
    ],
    ['the job is ATMOST_ONCE', atMostOnce, answered(503), 'a failure of this kind is not retried.'],
  ])('it fails when %s, and the log gives the reason', (_why, attempted, outcome, why) => {
    const resting = decide(attempted, outcome);
    expect(resting).toMatchObject({ status: 'FAILED', availableAt: null, failureReason: 'HTTP_STATUS' });
    expect(resting.log.level).toBe('ERROR');
    expect(resting.log.message).toContain(why);
    expect(resting.errorMessage).not.toContain('Final');
  });
});

describe('after a call without an answer', () => {
  it.each(['TIMEOUT', 'CONNECTION', 'DNS', 'TLS'] as const)('for %s it is retried', (reason) => {
    const outcome = { kind: 'failed', reason, message: 'No answer.' } as const;
    expect(decide(execution, outcome)).toMatchObject({ status: 'RETRYING', failureReason: reason });
    expect(decide(atMostOnce, outcome)).toMatchObject({ status: 'FAILED', failureReason: reason });
  });

  it.each(['BLOCKED_TARGET', 'TOO_MANY_REDIRECTS', 'INVALID_REQUEST'] as const)(
    'for %s it fails',
    (reason) => {
      const outcome = { kind: 'failed', reason, message: 'Not to be called.' } as const;
      expect(decide(execution, outcome)).toMatchObject({ status: 'FAILED', failureReason: reason });
    },
  );
});

describe('after a call that the scheduler ended', () => {
  const aborted: AttemptOutcome = { kind: 'aborted' };

  it('because of a cancellation the execution is CANCELLED, in any job', () => {
    for (const attempted of [execution, atMostOnce]) {
      expect(decideAfterAttempt(attempted, aborted, 'cancelled', NOW, 0)).toMatchObject({
        status: 'CANCELLED',
        failureReason: null,
        availableAt: null,
      });
    }
  });

  it('because of a shutdown it is available again at once, and uses no retry', () => {
    expect(decideAfterAttempt(execution, aborted, 'shutdown', NOW, 0)).toMatchObject({
      status: 'PENDING',
      availableAt: NOW,
      failureReason: null,
    });
  });

  it('because of a shutdown it is available again also after earlier deaths: a shutdown does not count as one', () => {
    expect(decideAfterAttempt({ ...execution, rescueCount: 2 }, aborted, 'shutdown', NOW, 0).status).toBe(
      'PENDING',
    );
  });

  it('because of a shutdown it fails when it may not be repeated', () => {
    expect(decideAfterAttempt(atMostOnce, aborted, 'shutdown', NOW, 0)).toMatchObject({
      status: 'FAILED',
      failureReason: 'INSTANCE_LOST',
    });
  });
});

function decide(attempted: AttemptedExecution, outcome: AttemptOutcome) {
  return decideAfterAttempt(attempted, outcome, null, NOW, 0);
}

function answered(status: number): RespondedOutcome {
  return {
    kind: 'responded',
    status,
    headers: {},
    body: '',
    bodyTruncated: false,
    retryAfter: null,
    noRetry: false,
  };
}

describe('without a call', () => {
  it.each(['shutdown', 'noPlace'] as const)('its execution waits in its old place after %s', (reason) => {
    expect(decideUncalled(reason)).toEqual({
      status: 'PENDING',
      availableAt: null,
      failureReason: null,
      errorMessage: null,
      log: { level: 'INFO', message: expect.stringMatching(/^Given back: /) as string },
    });
  });

  it('a cancelled execution states that there was no call', () => {
    expect(decideUncalled('cancelled')).toMatchObject({
      status: 'CANCELLED',
      availableAt: null,
      errorMessage: 'Cancelled before its call was made.',
    });
  });
});
