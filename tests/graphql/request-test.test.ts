import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import {
  createRequestTester,
  MAX_TEST_TIMEOUT_MS,
  MAX_TESTS_AT_ONCE,
} from '../../src/commands/jobs/test-request.ts';
import { BLOCKED_ADDRESS, CALLER, START } from '../commands/harness.ts';
import { count } from '../support/rows.ts';
import { startTarget, type TargetServer } from '../support/target-server.ts';
import { type ApiHarness, createApiHarness } from './api-harness.ts';

let api: ApiHarness;
let target: TargetServer;

beforeAll(async () => {
  [api, target] = await Promise.all([createApiHarness(), startTarget()]);
});
afterAll(async () => {
  await target.close();
  await api.close();
});
beforeEach(() => {
  target.calls.length = 0;
});

interface Answer {
  testRequest: {
    test: Record<string, unknown> | null;
    errors: { __typename: string; path: string[] | null; message: string }[];
  };
}
const TEST = /* GraphQL */ `
  mutation ($input: CreateJobInput!) {
    testRequest(input: $input) {
      test {
        ok
        responseStatus
        responseHeaders
        responseBody
        failureReason
        errorMessage
        durationMs
        timings {
          connectMs
          totalMs
        }
      }
      errors {
        __typename
        path
        message
      }
    }
  }
`;
const test = async (input: Record<string, unknown>) =>
  (await api.query<Answer>(TEST, { input: { name: 'Tried', ...input } })).testRequest;

describe('testRequest', () => {
  it('sends the request once and shows the answer, secrets masked', async () => {
    target.script('/hook', {
      status: 201,
      headers: { 'set-cookie': 'sid=s3cret', 'x-a': '1' },
      body: 'made',
    });
    const { test: result, errors } = await test({
      api: `${target.url}/hook?v=1`,
      method: 'POST',
      headers: { Authorization: 'Bearer s3cret', 'X-Custom': 'yes' },
      body: { a: 1 },
    });
    expect(errors).toEqual([]);
    expect(result).toMatchObject({
      ok: true,
      responseStatus: 201,
      responseHeaders: { 'set-cookie': '***', 'x-a': '1' },
      responseBody: 'made',
      failureReason: null,
      errorMessage: null,
    });
    expect(result?.['durationMs']).toEqual(expect.any(Number));
    expect(result?.['timings']).toMatchObject({ connectMs: expect.any(Number) as number });
    expect(target.calls).toMatchObject([
      {
        method: 'POST',
        path: '/hook',
        query: '?v=1',
        headers: {
          authorization: 'Bearer s3cret',
          'x-custom': 'yes',
          'x-attempt': '1',
          'x-scheduled-at': START,
        },
        body: '{"a":1}',
      },
    ]);
  });

  it('fills templates with sample values, and uses a new execution id each time', async () => {
    const input = {
      api: `${target.url}/run/{{attempt.number}}?job={{job.name}}`,
      method: 'POST',
      headers: { 'X-Id': '{{execution.id}}' },
      body: { upstream: '{{trigger.status}} {{trigger.body}}' },
    };
    for (let n = 0; n < 2; n += 1) expect((await test(input)).test).toMatchObject({ ok: true });
    const [first, second] = target.calls;
    expect(first).toMatchObject({
      path: '/run/1',
      query: '?job=Sample%20job',
      body: '{"upstream":"SUCCESS {\\"sample\\":true}"}',
    });
    expect(first?.headers['x-id']).toBe(first?.headers['idempotency-key']);
    expect(first?.headers['x-id']).not.toBe(second?.headers['x-id']);
  });

  it.each([
    [{ status: 503, body: 'later' }, {}, { ok: false, responseStatus: 503, failureReason: 'HTTP_STATUS' }],
    [{ status: 404 }, { successStatuses: ['404'] }, { ok: true, responseStatus: 404, failureReason: null }],
    ['hang', { timeoutMs: 50 }, { ok: false, responseStatus: null, failureReason: 'TIMEOUT' }],
  ] as const)('judges %j in the same way as an attempt', async (reply, input, expected) => {
    target.script('/hook', reply);
    expect(await test({ api: `${target.url}/hook`, ...input })).toMatchObject({ test: expected, errors: [] });
  });

  it('shows why no answer came', async () => {
    const { test: result } = await test({ api: 'http://127.0.0.1:9/' });
    expect(result).toMatchObject({
      ok: false,
      responseHeaders: null,
      responseBody: null,
      failureReason: 'CONNECTION',
      errorMessage: expect.stringContaining('127.0.0.1:9') as string,
    });
  });

  it('cuts a long answer like that of an execution', async () => {
    target.script('/long', { body: 'x'.repeat(20_000) });
    expect((await test({ api: `${target.url}/long` })).test?.['responseBody']).toHaveLength(5_000);
  });

  it('calls only destinations that a job may call', async () => {
    expect(await test({ api: `http://${BLOCKED_ADDRESS}/latest/meta-data` })).toMatchObject({
      test: null,
      errors: [{ __typename: 'TargetBlockedError', path: ['api'] }],
    });
    target.script('/away', { status: 302, headers: { location: `http://${BLOCKED_ADDRESS}/` } });
    expect((await test({ api: `${target.url}/away` })).test).toMatchObject({
      ok: false,
      failureReason: 'BLOCKED_TARGET',
    });
  });

  it('refuses an invalid request of a job without a call', async () => {
    const { test: result, errors } = await test({
      api: 'ftp://a.test/',
      timeoutMs: 0,
      headers: { Host: 'b.test' },
    });
    expect(result).toBeNull();
    expect(errors).toMatchObject([{ __typename: 'ValidationError' }]);
    expect(target.calls).toEqual([]);
  });

  it('checks only the request: an incomplete schedule is not an error here', async () => {
    expect(await test({ name: '', api: `${target.url}/ok`, schedule: '0 0' })).toMatchObject({
      test: { ok: true },
      errors: [],
    });
  });

  it('stores nothing', async () => {
    await test({ api: `${target.url}/ok` });
    for (const table of ['jobs', 'job_executions', 'job_audit_log', 'event_log']) {
      expect(await count(api.pool, table)).toBe(0);
    }
  });

  it('runs a limited number at once, with any result', async () => {
    const gate = target.gate('/slow');
    const running = Array.from({ length: MAX_TESTS_AT_ONCE }, () => test({ api: `${target.url}/slow` }));
    await target.received('/slow', MAX_TESTS_AT_ONCE);
    expect(await test({ api: `${target.url}/slow` })).toMatchObject({
      test: null,
      errors: [{ __typename: 'ConflictError', path: null }],
    });
    gate.open();
    for (const { test: result } of await Promise.all(running)) expect(result).toMatchObject({ ok: true });
    expect(await test({ api: `${target.url}/ok` })).toMatchObject({ test: { ok: true }, errors: [] });
    expect(target.callsTo('/slow')).toHaveLength(MAX_TESTS_AT_ONCE);
  });

  it('waits at most half a minute, with any timeout of the job', async () => {
    const timeouts: number[] = [];
    const tryOut = createRequestTester({
      ...api.deps,
      send: (_request, _values, timeoutMs) => {
        timeouts.push(timeoutMs);
        return Promise.resolve({
          outcome: { kind: 'aborted' },
          timings: {
            dnsMs: null,
            connectMs: null,
            tlsMs: null,
            firstByteMs: null,
            downloadMs: null,
            totalMs: 1,
          },
        });
      },
    });
    for (const timeoutMs of [3_600_000, 1_000]) {
      expect(await tryOut(CALLER, { name: 'Tried', api: 'http://a.test/', timeoutMs })).toMatchObject({
        ok: true,
        value: { ok: false, failureReason: null, errorMessage: 'The scheduler is stopping.' },
      });
    }
    expect(timeouts).toEqual([MAX_TEST_TIMEOUT_MS, 1_000]);
  });
});
