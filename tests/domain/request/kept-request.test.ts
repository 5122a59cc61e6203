import { describe, expect, it } from 'vitest';
import { identityHeaders, keptRequest, sentRequest } from '../../../src/domain/request/kept-request.ts';

const CALL = {
  executionId: 'exec_1',
  jobId: 'job_1',
  scheduledAt: new Date('2030-01-01T00:00:00.000Z'),
} as const;

describe('a request that was sent', () => {
  const sent = {
    method: 'POST',
    url: 'https://a.test/',
    headers: {
      'accept-encoding': 'gzip, deflate, br',
      'x-team': 'blue',
      'x-attempt': '2',
      ...identityHeaders(CALL),
    },
    body: '{}',
  } as const;

  it('is stored without the facts that its execution already has', () => {
    expect(keptRequest(sent)).toEqual({ ...sent, headers: { 'x-team': 'blue', 'x-attempt': '2' } });
  });

  it.each([CALL, { ...CALL, scheduledAt: null }])('is shown exactly as sent', (call) => {
    for (const encodings of ['gzip, deflate, br', 'identity', '']) {
      const headers = { 'accept-encoding': encodings, 'x-attempt': '1', ...identityHeaders(call) };
      expect(sentRequest(keptRequest({ ...sent, headers }), call)).toEqual({ ...sent, headers });
    }
  });

  it('is shown unchanged when it was stored completely', () => {
    expect(sentRequest(sent, CALL)).toEqual(sent);
  });
});

it('one that could not be sent is stored and shown unchanged', () => {
  const unsent = {
    method: 'GET',
    url: 'https://a.test/{{x}}',
    headers: { 'X-Team': '{{y}}' },
    body: null,
  } as const;
  expect(keptRequest(unsent)).toEqual(unsent);
  expect(sentRequest(unsent, CALL)).toEqual(unsent);
});
