import { describe, expect, it } from 'vitest';
import type { CallbackAnswer, CallbackReport } from '../../src/domain/execution/callback-report.ts';
import type { CallbackClaim } from '../../src/domain/execution/callback-token.ts';
import { startTestServer, type TestServer } from './test-server.ts';

const CLAIM: CallbackClaim = { executionId: 'an-execution', attempt: 1, claimSeq: 1 };
const TOKEN = 'known-token';

/** A server that knows one token, and takes what is called back with it. */
async function startReceiver(
  answer: () => Promise<CallbackAnswer> = () => Promise.resolve('completed'),
): Promise<TestServer & { taken: { attempt: CallbackClaim; report: CallbackReport }[] }> {
  const taken: { attempt: CallbackClaim; report: CallbackReport }[] = [];
  const server = await startTestServer({
    corsOrigins: ['*'],
    callbacks: {
      read: (token) => (token === TOKEN ? CLAIM : null),
      complete: (attempt, report) => {
        taken.push({ attempt, report });
        return answer();
      },
    },
  });
  return { ...server, taken };
}

async function post(
  { url }: { url: string },
  body: unknown,
  { token = TOKEN, ...init }: RequestInit & { token?: string } = {},
): Promise<{ status: number; headers: Headers; body: unknown }> {
  const response = await fetch(`${url}/callbacks/${token}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: typeof body === 'string' ? body : JSON.stringify(body),
    ...init,
  });
  return { status: response.status, headers: response.headers, body: await response.json() };
}

function refusal(code: string): unknown {
  return { errors: [{ message: expect.any(String) as string, extensions: { code } }] };
}

describe('a callback over HTTP', () => {
  it('is taken with all that it says', async () => {
    const server = await startReceiver();
    const body = { status: 'failure', message: 'Disk full.', output: [1], retry: false };
    expect(await post(server, body)).toMatchObject({ status: 200, body: { ok: true } });
    expect(server.taken).toEqual([
      {
        attempt: CLAIM,
        report: { status: 'failure', message: 'Disk full.', output: '[1]', retry: false },
      },
    ]);
  });

  it.each([
    ['repeated', 409, 'ALREADY_COMPLETED'],
    ['late', 410, 'TOO_LATE'],
  ] as const)('that is %s is told so with %i', async (answer, status, code) => {
    const server = await startReceiver(() => Promise.resolve(answer));
    expect(await post(server, { status: 'success' })).toMatchObject({ status, body: refusal(code) });
  });

  it('with a token that we have not given is told so, and nothing else', async () => {
    const server = await startReceiver();
    for (const token of ['unknown', '', `${TOKEN}/`, 'a/b', '%00', 'x'.repeat(8_000)]) {
      const answer = await post(server, { status: 'success' }, { token });
      expect(answer).toMatchObject({ status: 404, body: refusal('NOT_FOUND') });
    }
    expect(server.taken).toEqual([]);
  });

  it.each([
    ['{ "status": "done" }', ['status'], 'status: Must be "success" or "failure".'],
    ['{ "status": "success", "message": 7 }', ['message'], 'message: Must be text.'],
    ['{ "status": "success", "retries": 0 }', ['retries'], 'retries: Is not known'],
    ['[]', [], 'The body must be a JSON object.'],
  ])('with the body %s is told which field is wrong', async (body, path, message) => {
    const server = await startReceiver();
    expect(await post(server, body)).toMatchObject({
      status: 400,
      body: {
        errors: [
          {
            message: expect.stringContaining(message) as string,
            extensions: { code: 'VALIDATION_ERROR', path },
          },
        ],
      },
    });
    expect(server.taken).toEqual([]);
  });

  it.each(['', '{', 'status=success'])('with the body %j, which is no JSON, is refused', async (body) => {
    const server = await startReceiver();
    expect(await post(server, body)).toMatchObject({ status: 400, body: refusal('BAD_REQUEST') });
  });

  it('may have 256 KB and no more', async () => {
    const server = await startReceiver();
    const ofBytes = (bytes: number) => {
      const frame = JSON.stringify({ status: 'success', output: '' });
      return frame.replace('""', `"${'x'.repeat(bytes - frame.length)}"`);
    };
    expect(await post(server, ofBytes(262_144))).toMatchObject({ status: 200 });
    expect(await post(server, ofBytes(262_145))).toMatchObject({
      status: 413,
      body: refusal('REQUEST_TOO_LARGE'),
    });
  });

  it.each([undefined, 'text/plain', 'application/x-www-form-urlencoded'])(
    'as %s instead of JSON is refused',
    async (type) => {
      const server = await startReceiver();
      const headers: Record<string, string> = type === undefined ? {} : { 'content-type': type };
      const answer = await post(server, '{ "status": "success" }', { headers });
      expect(answer).toMatchObject({ status: 415, body: refusal('UNSUPPORTED_MEDIA_TYPE') });
      expect(server.taken).toEqual([]);
    },
  );

  it('that cannot be recorded is answered with a fault, so that it is sent again', async () => {
    const server = await startReceiver(() => Promise.reject(new Error('database away: known-token')));
    const { status, body } = await post(server, { status: 'success' });
    expect(status).toBe(500);
    expect(JSON.stringify(body)).not.toContain('database');
  });

  it('that comes while the database is away is told when to come again', async () => {
    const away = Object.assign(new Error('known-token'), { code: 'ECONNREFUSED' });
    const server = await startReceiver(() => Promise.reject(away));
    const { status, headers, body } = await post(server, { status: 'success' });
    expect(status).toBe(503);
    expect(headers.get('retry-after')).toBe('5');
    expect(body).toMatchObject({ errors: [{ extensions: { code: 'UNAVAILABLE' } }] });
  });
});

describe('a callback URL', () => {
  it.each(['GET', 'HEAD', 'PUT', 'DELETE', 'OPTIONS'])('does nothing for %s', async (method) => {
    const server = await startReceiver();
    const response = await fetch(`${server.url}/callbacks/${TOKEN}`, { method });
    expect(response.status).toBe(405);
    expect(response.headers.get('allow')).toBe('POST');
    expect(server.taken).toEqual([]);
  });

  it('lets no web page in, whatever the API allows', async () => {
    const server = await startReceiver();
    const headers = { 'content-type': 'application/json', origin: 'https://page.example.com' };
    const { headers: answered } = await post(server, { status: 'success' }, { headers });
    const preflight = await fetch(`${server.url}/callbacks/${TOKEN}`, {
      method: 'OPTIONS',
      headers: { origin: 'https://page.example.com', 'access-control-request-method': 'POST' },
    });
    expect(answered.get('access-control-allow-origin')).toBeNull();
    expect(preflight.headers.get('access-control-allow-origin')).toBeNull();
  });

  it('is logged without its token', async () => {
    const server = await startReceiver();
    await post(server, { status: 'success' });
    await post(server, { status: 'success' }, { token: 'another-token' });
    await server.server.stop();
    expect(server.logged('Request answered')).toMatchObject([
      { fields: { path: '/callbacks/***', status: 200 } },
      { fields: { path: '/callbacks/***', status: 404 } },
    ]);
    expect(JSON.stringify(server.log)).not.toContain('token');
  });
});
