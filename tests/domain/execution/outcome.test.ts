import { describe, expect, it } from 'vitest';
import {
  DEFAULT_RETRY_STATUSES,
  DEFAULT_SUCCESS_STATUSES,
  classifyOutcome,
} from '../../../src/domain/execution/outcome.ts';
import type {
  AttemptOutcome,
  CallFailureReason,
  RespondedOutcome,
} from '../../../src/domain/execution/outcome.ts';

const defaults = { successStatuses: DEFAULT_SUCCESS_STATUSES, retryOn: DEFAULT_RETRY_STATUSES };

function responded(status: number, parts: Partial<RespondedOutcome> = {}): AttemptOutcome {
  return {
    kind: 'responded',
    status,
    headers: {},
    body: '',
    bodyTruncated: false,
    retryAfter: null,
    noRetry: false,
    ...parts,
  };
}

describe('classifyOutcome', () => {
  it.each([200, 201, 204, 299])('treats %i as success by default', (status) => {
    expect(classifyOutcome(responded(status), defaults)).toEqual({ kind: 'success' });
  });

  it.each([408, 425, 429, 500, 502, 503, 504, 599])('would retry %i by default', (status) => {
    expect(classifyOutcome(responded(status), defaults)).toEqual({
      kind: 'retryableFailure',
      reason: 'HTTP_STATUS',
      message: `The target answered with status ${status}.`,
    });
  });

  it.each([301, 304, 400, 401, 403, 404, 409, 410, 422, 451, 999])(
    'fails %i at once by default',
    (status) => {
      expect(classifyOutcome(responded(status), defaults)).toMatchObject({
        kind: 'finalFailure',
        reason: 'HTTP_STATUS',
      });
    },
  );

  it('uses the lists of the job', () => {
    const rules = { successStatuses: ['404'], retryOn: ['200-299'] };
    expect(classifyOutcome(responded(404), rules).kind).toBe('success');
    expect(classifyOutcome(responded(200), rules).kind).toBe('retryableFailure');
    expect(classifyOutcome(responded(500), rules).kind).toBe('finalFailure');
  });

  it('treats a status in both lists as success', () => {
    expect(classifyOutcome(responded(202), { successStatuses: ['2xx'], retryOn: ['202'] }).kind).toBe(
      'success',
    );
  });

  it('does not retry when the target asks for no retry', () => {
    expect(classifyOutcome(responded(503, { noRetry: true }), defaults)).toEqual({
      kind: 'finalFailure',
      reason: 'HTTP_STATUS',
      message: 'The target answered with status 503 and asked for no retry.',
    });
  });

  it('keeps a success that asks for no retry', () => {
    expect(classifyOutcome(responded(200, { noRetry: true }), defaults).kind).toBe('success');
  });

  it('treats a cut body like a whole one', () => {
    expect(classifyOutcome(responded(200, { bodyTruncated: true }), defaults).kind).toBe('success');
  });

  it.each<[CallFailureReason, string]>([
    ['TIMEOUT', 'retryableFailure'],
    ['CONNECTION', 'retryableFailure'],
    ['DNS', 'retryableFailure'],
    ['TLS', 'retryableFailure'],
    ['BLOCKED_TARGET', 'finalFailure'],
    ['TOO_MANY_REDIRECTS', 'finalFailure'],
    ['INVALID_REQUEST', 'finalFailure'],
  ])('turns %s into %s, whatever statuses are retried', (reason, kind) => {
    const outcome: AttemptOutcome = { kind: 'failed', reason, message: 'why' };
    expect(classifyOutcome(outcome, { successStatuses: [], retryOn: [] })).toEqual({
      kind,
      reason,
      message: 'why',
    });
  });

  it('leaves an aborted call to the caller that aborted it', () => {
    expect(classifyOutcome({ kind: 'aborted' }, defaults)).toEqual({ kind: 'aborted' });
  });
});
