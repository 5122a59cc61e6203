import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { brotliCompressSync, deflateRawSync, deflateSync, gzipSync } from 'node:zlib';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import type { HttpMethod } from '../../src/domain/request/http-method.ts';
import type { Sender } from '../../src/http/send-attempt.ts';
import { StopSignal } from '../../src/http/stop-signal.ts';
import { expiredCertificate, foreignCertificate, goodCertificate } from '../support/certificates.ts';
import { startTarget } from '../support/target-server.ts';
import type { TargetServer } from '../support/target-server.ts';
import { everythingLocal, expectResponse, newSender, request, unhurried } from './sending.ts';

let target: TargetServer;
let sender: Sender;

beforeAll(async () => {
  target = await startTarget();
});
afterAll(() => target.close());
beforeEach(() => {
  target.calls.length = 0;
  sender = newSender();
});
afterEach(() => {
  sender.close();
});

const timers = () => process.getActiveResourcesInfo().filter((resource) => resource === 'Timeout').length;

describe('a call', () => {
  it.each<HttpMethod>(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'])(
    'is made by %s without a body',
    async (method) => {
      const { outcome } = await sender.sendAttempt(request(`${target.url}/a`, { method }), unhurried());
      expect(outcome).toMatchObject({ kind: 'responded', status: 200, body: method === 'HEAD' ? '' : 'ok' });
      expect(target.calls).toMatchObject([{ method, path: '/a', body: '' }]);
      expect(target.calls[0]?.headers).not.toHaveProperty('content-type');
    },
  );

  it.each<HttpMethod>(['GET', 'POST', 'PUT', 'PATCH', 'DELETE'])(
    'is made by %s with a body',
    async (method) => {
      await sender.sendAttempt(request(`${target.url}/a`, { method, body: { größe: 1 } }), unhurried());
      expect(target.calls).toMatchObject([{ method, body: '{"größe":1}' }]);
      expect(target.calls[0]?.headers).toMatchObject({
        'content-type': 'application/json',
        'content-length': '13',
      });
    },
  );

  it('carries its ids', async () => {
    await sender.sendAttempt(request(target.url, { attempt: 2 }), unhurried());
    expect(target.calls[0]?.headers).toMatchObject({
      'x-execution-id': 'exec_1',
      'x-job-id': 'job_1',
      'x-attempt': '2',
      'x-scheduled-at': '2030-01-01T00:00:00.000Z',
      'idempotency-key': 'exec_1',
      'user-agent': 'job-scheduler/1.2.3',
    });
  });

  it('sends the credentials of the URL as authorization and not in the path', async () => {
    await sender.sendAttempt(request(`${target.url.replace('//', '//user:pass@')}/a#part`), unhurried());
    expect(target.calls).toMatchObject([{ path: '/a', headers: { authorization: 'Basic dXNlcjpwYXNz' } }]);
  });

  it.each([204, 304, 400, 404, 429, 500, 503, 599])(
    'treats status %i as an outcome, not an error',
    async (status) => {
      target.script('/status', status);
      const { outcome } = await sender.sendAttempt(request(`${target.url}/status`), unhurried());
      expect(outcome).toMatchObject({ kind: 'responded', status, body: '', bodyTruncated: false });
    },
  );

  it('reports the retry headers of the target', async () => {
    target.script('/busy', [{ status: 503, headers: { 'Retry-After': '120', 'X-Job-No-Retry': '1' } }, 503]);
    const first = await sender.sendAttempt(request(`${target.url}/busy`), unhurried());
    expect(first.outcome).toMatchObject({ retryAfter: '120', noRetry: true });
    const second = await sender.sendAttempt(request(`${target.url}/busy`), unhurried());
    expect(second.outcome).toMatchObject({ retryAfter: null, noRetry: false });
  });

  it('shows its request with the secrets masked', async () => {
    const sent = await sender.sendAttempt(
      request(target.url, { headers: { Authorization: 'Bearer s3cret' } }),
      unhurried(),
    );
    expect(sent.request).toMatchObject({
      method: 'GET',
      url: target.url,
      headers: { authorization: '***' },
      body: null,
    });
    expect(target.calls[0]?.headers['authorization']).toBe('Bearer s3cret');
  });

  it('can be plain, with only its own headers', async () => {
    const call = {
      method: 'POST',
      url: `${target.url}/hook`,
      headers: { 'x-alert': '1' },
      body: '{}',
    } as const;
    expect((await sender.send(call, unhurried())).outcome).toMatchObject({ status: 200 });
    expect(target.calls[0]?.headers).toMatchObject({ 'x-alert': '1', 'user-agent': 'job-scheduler/1.2.3' });
    expect(target.calls[0]?.headers).not.toHaveProperty('x-execution-id');
  });

  it('ignores the proxies of the environment', async () => {
    const before = { ...process.env };
    Object.assign(process.env, {
      HTTP_PROXY: 'http://127.0.0.1:1',
      http_proxy: 'http://127.0.0.1:1',
      NODE_USE_ENV_PROXY: '1',
    });
    try {
      expect((await sender.sendAttempt(request(target.url), unhurried())).outcome).toMatchObject({
        status: 200,
      });
    } finally {
      process.env = before;
    }
  });
});

describe('a response body', () => {
  async function bodyOf(path: string, reply: { headers?: Record<string, string>; body: string | Buffer }) {
    target.script(path, reply);
    return expectResponse((await sender.sendAttempt(request(target.url + path), unhurried())).outcome);
  }

  it('is kept completely up to 5,000 characters', async () => {
    const { body, bodyTruncated } = await bodyOf('/fits', { body: 'a'.repeat(5_000) });
    expect({ length: body.length, bodyTruncated }).toEqual({ length: 5_000, bodyTruncated: false });
  });

  it('is cut after 5,000 characters, and never inside one', async () => {
    const { body, bodyTruncated } = await bodyOf('/long', { body: `a${'😀'.repeat(5_000)}` });
    expect(bodyTruncated).toBe(true);
    expect(body).toBe(`a${'😀'.repeat(2_499)}`);
  });

  it('loses its NUL characters, which the database cannot store', async () => {
    expect((await bodyOf('/nul', { body: 'a\0b' })).body).toBe('a\uFFFDb');
  });

  it.each([
    ['gzip', gzipSync('packed')],
    ['x-gzip', gzipSync('packed')],
    ['deflate', deflateSync('packed')],
    ['deflate', deflateRawSync('packed')],
    ['br', brotliCompressSync('packed')],
    ['GZIP', gzipSync('packed')],
    ['identity', Buffer.from('packed')],
    ['unheard-of', Buffer.from('packed')],
  ])('is unpacked from %s', async (encoding, body) => {
    expect((await bodyOf('/packed', { headers: { 'content-encoding': encoding }, body })).body).toBe(
      'packed',
    );
  });

  it('may be empty although its header names an encoding', async () => {
    expect(await bodyOf('/empty', { headers: { 'content-encoding': 'gzip' }, body: '' })).toMatchObject({
      body: '',
      status: 200,
    });
  });

  it('that is compressed and large is cut like any other', async () => {
    const packed = { headers: { 'content-encoding': 'gzip' }, body: gzipSync(Buffer.alloc(10_000_000, 'z')) };
    expect(await bodyOf('/bomb', packed)).toMatchObject({ body: 'z'.repeat(5_000), bodyTruncated: true });
  });
});

describe('response headers', () => {
  it('are stored in limited number and size', async () => {
    const many = Object.fromEntries(Array.from({ length: 200 }, (_, index) => [`x-many-${index}`, 'v']));
    target.script('/many', { headers: many });
    const { headers } = expectResponse(
      (await sender.sendAttempt(request(`${target.url}/many`), unhurried())).outcome,
    );
    expect(Object.keys(headers)).toHaveLength(64);

    const wide = Object.fromEntries(
      Array.from({ length: 7 }, (_, index) => [`x-wide-${index}`, 'v'.repeat(2_000)]),
    );
    target.script('/wide', { headers: wide });
    const kept = expectResponse(
      (await sender.sendAttempt(request(`${target.url}/wide`), unhurried())).outcome,
    ).headers;
    expect(kept['x-wide-0']).toHaveLength(1_024);
    expect(JSON.stringify(kept).length).toBeLessThan(9_000);
  });
});

describe('timings', () => {
  it('name each phase, and those of connecting only for a new connection', async () => {
    const byName = newSender({ resolveAll: everythingLocal });
    const url = target.url.replace('127.0.0.1', 'target.test');
    const first = await byName.sendAttempt(request(url), unhurried());
    const second = await byName.sendAttempt(request(url), unhurried());
    const number: unknown = expect.any(Number);
    expect(first.timings).toEqual({
      dnsMs: number,
      connectMs: number,
      tlsMs: null,
      firstByteMs: number,
      downloadMs: number,
      totalMs: number,
    });
    expect(second.timings).toMatchObject({ dnsMs: null, connectMs: null, tlsMs: null, totalMs: number });
    byName.close();
  });

  it('have a total even when nothing was sent', async () => {
    const { timings } = await sender.sendAttempt(request('nonsense'), unhurried());
    expect(timings).toMatchObject({ dnsMs: null, connectMs: null, firstByteMs: null });
    expect(timings.totalMs).toBeGreaterThanOrEqual(0);
  });
});

describe('a call that takes too long', () => {
  it('ends with TIMEOUT, and its socket with it', async () => {
    target.script('/hang', 'hang');
    const { outcome } = await sender.sendAttempt(request(`${target.url}/hang`), unhurried({ timeoutMs: 50 }));
    expect(outcome).toEqual({
      kind: 'failed',
      reason: 'TIMEOUT',
      message: `No complete response from ${new URL(target.url).host} within 50 ms.`,
    });
    await target.allSocketsClosed();
  });

  it('is not extended by a slow name lookup', async () => {
    const stuck = newSender({ resolveAll: () => new Promise(() => undefined) });
    const { outcome } = await stuck.sendAttempt(request('http://slow.test/'), unhurried({ timeoutMs: 50 }));
    expect(outcome).toMatchObject({ kind: 'failed', reason: 'TIMEOUT' });
    await expect.poll(() => stuck.openSockets()).toBe(0);
    stuck.close();
  });
});

describe('an aborted call', () => {
  it('has the outcome aborted, and its socket is closed', async () => {
    const signal = new StopSignal();
    target.script('/hang', 'hang');
    const sent = sender.sendAttempt(request(`${target.url}/hang`), unhurried({ signal }));
    await target.received('/hang');
    signal.stop('abort');
    expect((await sent).outcome).toEqual({ kind: 'aborted' });
    await target.allSocketsClosed();
  });

  it('is not made when it was aborted before', async () => {
    const signal = new StopSignal();
    signal.stop('abort');
    const { outcome } = await sender.sendAttempt(request(target.url), unhurried({ signal }));
    expect(outcome).toEqual({ kind: 'aborted' });
    expect(target.calls).toEqual([]);
  });

  it('is the result of closing the sender, for running calls and later ones', async () => {
    target.script('/hang', 'hang');
    const sent = [1, 2, 3].map(() => sender.sendAttempt(request(`${target.url}/hang`), unhurried()));
    await target.received('/hang', 3);
    sender.close();
    expect((await Promise.all(sent)).map(({ outcome }) => outcome.kind)).toEqual([
      'aborted',
      'aborted',
      'aborted',
    ]);
    expect((await sender.sendAttempt(request(target.url), unhurried())).outcome).toEqual({ kind: 'aborted' });
    await target.allSocketsClosed();
  });
});

describe('a finished call', () => {
  it('leaves no timer and no listener behind', async () => {
    const signal = new StopSignal();
    const listen = vi.spyOn(signal, 'listen');
    const before = timers();
    target.script('/many', [200, 500]);
    for (let count = 0; count < 3; count += 1) {
      await sender.sendAttempt(request(`${target.url}/many`), unhurried({ signal, timeoutMs: 3_600_000 }));
    }
    expect(timers()).toBe(before);
    expect(listen).toHaveBeenLastCalledWith(null);
  });

  it('passes its connection to the next one', async () => {
    for (let count = 0; count < 5; count += 1) await sender.sendAttempt(request(target.url), unhurried());
    expect(target.openSockets()).toBe(1);
    expect(sender.openSockets()).toBe(1);
  });

  it('keeps no more connections to one host than are useful', async () => {
    const gate = target.gate('/gate');
    const sent = Array.from({ length: 40 }, () =>
      sender.sendAttempt(request(`${target.url}/gate`), unhurried()),
    );
    await target.received('/gate', 40);
    gate.open();
    await Promise.all(sent);
    await expect.poll(() => sender.openSockets()).toBeLessThanOrEqual(16);
  });
});

describe('a request that cannot be sent', () => {
  it.each([
    ['no URL', { url: 'nonsense' }],
    ['another protocol', { url: 'ftp://files.test/' }],
    ['no host', { url: 'http://' }],
    ['a port beyond all ports', { url: 'http://127.0.0.1:99999/' }],
    ['a header name with a space', { headers: { 'bad name': 'x' } }],
    ['a header value with a line break', { headers: { 'x-bad': 'a\r\nb' } }],
    ['a header value that is no Latin-1', { headers: { 'x-bad': '😀' } }],
    ['a HEAD with a body', { method: 'HEAD', body: 'x' }],
  ] as const)('because of %s ends with INVALID_REQUEST', async (_why, parts) => {
    const { outcome } = await sender.sendAttempt(request(target.url, parts), unhurried());
    expect(outcome).toMatchObject({ kind: 'failed', reason: 'INVALID_REQUEST' });
    expect(target.calls).toEqual([]);
  });

  it.each([0, -1, 1.5, NaN, Infinity, 3_600_001, 2 ** 31])(
    'because of a timeout of %s ms ends with INVALID_REQUEST',
    async (timeoutMs) => {
      const { outcome } = await sender.sendAttempt(request(target.url), unhurried({ timeoutMs }));
      expect(outcome).toMatchObject({ kind: 'failed', reason: 'INVALID_REQUEST' });
    },
  );
});

describe('a target that cannot be reached', () => {
  it('ends with CONNECTION when nothing listens', async () => {
    const gone = await startTarget();
    await gone.close();
    const { outcome } = await sender.sendAttempt(request(gone.url), unhurried());
    expect(outcome).toMatchObject({ kind: 'failed', reason: 'CONNECTION' });
    expect(outcome).toHaveProperty('message', expect.stringContaining('ECONNREFUSED'));
  });

  it('ends with CONNECTION when nothing listens at any of its addresses', async () => {
    const gone = await startTarget();
    await gone.close();
    const addresses = ['127.0.0.1', '127.0.0.2', '::1'].map((address) => ({
      address,
      family: address === '::1' ? 6 : 4,
    }));
    const byName = newSender({ resolveAll: () => Promise.resolve(addresses) });
    const { outcome } = await byName.sendAttempt(
      request(gone.url.replace('127.0.0.1', 'gone.test')),
      unhurried(),
    );
    expect(outcome).toMatchObject({ kind: 'failed', reason: 'CONNECTION' });
    byName.close();
  });

  it.each(['no-such-name.invalid', 'a'.repeat(300), 'a..b', '*.invalid'])(
    'ends with DNS when its name is %s',
    async (name) => {
      const { outcome } = await sender.sendAttempt(request(`http://${name}/`), unhurried());
      expect(outcome).toMatchObject({ kind: 'failed', reason: 'DNS' });
    },
  );

  it.each(['ENOTFOUND', 'EAI_AGAIN'])('ends with DNS when the resolver fails with %s', async (code) => {
    const resolveAll = () => Promise.reject(Object.assign(new Error('getaddrinfo failed'), { code }));
    const unresolving = newSender({ resolveAll });
    const { outcome } = await unresolving.sendAttempt(request('http://broken.test/'), unhurried());
    expect(outcome).toMatchObject({ kind: 'failed', reason: 'DNS' });
    unresolving.close();
  });
});

describe('a secure target', () => {
  it('is called when its certificate is trusted, and the handshake is timed', async () => {
    const secure = await startTarget({ tls: goodCertificate });
    const trusting = newSender({ certificateAuthority: goodCertificate.cert });
    const { outcome, timings } = await trusting.sendAttempt(request(secure.url), unhurried());
    expect(outcome).toMatchObject({ kind: 'responded', status: 200 });
    expect(timings.tlsMs).not.toBeNull();
    trusting.close();
    await secure.close();
  });

  it.each([
    ['is trusted by nobody', goodCertificate, undefined],
    ['has expired', expiredCertificate, expiredCertificate.cert],
    ['is for another host', foreignCertificate, foreignCertificate.cert],
  ])('ends with TLS when its certificate %s', async (_what, tls, certificateAuthority) => {
    const secure = await startTarget({ tls });
    const careful = newSender(certificateAuthority === undefined ? {} : { certificateAuthority });
    const { outcome } = await careful.sendAttempt(request(secure.url), unhurried());
    expect(outcome).toMatchObject({ kind: 'failed', reason: 'TLS' });
    expect(secure.calls).toEqual([]);
    await secure.allSocketsClosed();
    careful.close();
    await secure.close();
  });

  it('ends with TLS when it does not support TLS', async () => {
    const { outcome } = await sender.sendAttempt(request(target.url.replace('http:', 'https:')), unhurried());
    expect(outcome).toMatchObject({ kind: 'failed', reason: 'TLS' });
    expect(outcome).toHaveProperty('message', expect.stringContaining('wrong version number'));
  });

  it('ends with TLS when it closes during the handshake', async () => {
    const rude = createServer((socket) => socket.once('data', () => socket.destroy()));
    await new Promise<void>((resolve) => rude.listen(0, '127.0.0.1', resolve));
    const url = `https://127.0.0.1:${(rude.address() as AddressInfo).port}`;
    expect((await sender.sendAttempt(request(url), unhurried())).outcome).toMatchObject({
      kind: 'failed',
      reason: 'TLS',
    });
    await new Promise((resolve) => rude.close(resolve));
  });
});

describe('the message of a failure', () => {
  it('contains no secret of the request', async () => {
    const gone = await startTarget();
    await gone.close();
    const url = `${gone.url.replace('//', '//user:s3cret@')}/s3cret?token=s3cret#s3cret`;
    const outgoing = request(url, { headers: { Authorization: 's3cret' }, method: 'POST', body: 's3cret' });
    const { outcome } = await sender.sendAttempt(outgoing, unhurried());
    expect(outcome.kind).toBe('failed');
    expect(JSON.stringify(outcome)).not.toContain('s3cret');
  });
});
