import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { MAX_REDIRECTS } from '../../src/http/redirects.ts';
import type { ResolveAll } from '../../src/http/lookup.ts';
import type { Sender } from '../../src/http/send-attempt.ts';
import { startBadTarget, endlessRedirect } from '../support/bad-targets.ts';
import { goodCertificate } from '../support/certificates.ts';
import { startTarget } from '../support/target-server.ts';
import type { TargetServer } from '../support/target-server.ts';
import { everythingLocal, expectResponse, newSender, request, unhurried } from './sending.ts';

let target: TargetServer;
let sender: Sender;

beforeAll(async () => {
  target = await startTarget();
  sender = newSender({ resolveAll: everythingLocal });
});
beforeEach(() => {
  target.calls.length = 0;
});
afterAll(async () => {
  sender.close();
  await target.close();
});

function redirect(status: number, location: string) {
  return { status, headers: { location }, body: 'this way' };
}

/** The target under another name, which is another origin. */
function elsewhere(path: string): string {
  return target.url.replace('127.0.0.1', 'elsewhere.test') + path;
}

describe('a redirect', () => {
  it.each([301, 302, 307, 308])(
    'with status %i is followed with the same method, body and headers',
    async (status) => {
      target.script('/old', redirect(status, '/new?a=1'));
      const outgoing = request(`${target.url}/old`, {
        method: 'POST',
        body: { a: 1 },
        headers: { Authorization: 'Bearer s3cret', 'X-Custom': 'yes' },
      });
      const { outcome } = await sender.sendAttempt(outgoing, unhurried());
      expect(outcome).toMatchObject({ status: 200, body: 'ok' });
      const [call] = target.callsTo('/new');
      expect(call).toMatchObject({ method: 'POST', query: '?a=1', body: '{"a":1}' });
      expect(call?.headers).toMatchObject({
        authorization: 'Bearer s3cret',
        'content-type': 'application/json',
        'x-custom': 'yes',
        'x-execution-id': 'exec_1',
      });
    },
  );

  it('with status 303 is followed by GET, without the body', async () => {
    target.script('/old', redirect(303, '/new'));
    await sender.sendAttempt(request(`${target.url}/old`, { method: 'POST', body: { a: 1 } }), unhurried());
    const [call] = target.callsTo('/new');
    expect(call).toMatchObject({ method: 'GET', body: '' });
    expect(call?.headers).not.toHaveProperty('content-type');
    expect(call?.headers).not.toHaveProperty('content-length');
  });

  it('with status 303 stays HEAD', async () => {
    target.script('/old', redirect(303, '/new'));
    await sender.sendAttempt(request(`${target.url}/old`, { method: 'HEAD' }), unhurried());
    expect(target.callsTo('/new')[0]?.method).toBe('HEAD');
  });

  it('to another host keeps only headers that are known to be harmless', async () => {
    target.script('/old', redirect(302, elsewhere('/new')));
    const headers = {
      Authorization: 'Bearer s3cret',
      Cookie: 'sid=s3cret',
      'X-Api-Key': 's3cret',
      Host: 'virtual.test',
      'X-Custom': 'yes',
    };
    const callbackUrl = 'https://scheduler.test/callbacks/s3cret';
    await sender.sendAttempt(request(`${target.url}/old`, { headers, callbackUrl }), unhurried());
    expect(target.callsTo('/old')[0]?.headers['authorization']).toBe('Bearer s3cret');
    expect(target.callsTo('/old')[0]?.headers['x-callback-url']).toBe(callbackUrl);
    const sent = target.callsTo('/new')[0]?.headers;
    expect(JSON.stringify(sent)).not.toContain('s3cret');
    expect(sent).not.toHaveProperty('x-custom');
    expect(sent).toMatchObject({
      'x-execution-id': 'exec_1',
      'idempotency-key': 'exec_1',
    });
    expect(sent?.['host']).toMatch(/^elsewhere\.test:/);
  });

  it.each([301, 302, 307, 308])(
    'with status %i to another host is the answer when it would carry a body',
    async (status) => {
      target.script('/old', redirect(status, elsewhere('/new')));
      const outgoing = request(`${target.url}/old`, { method: 'POST', body: { a: 1 } });
      const { outcome } = await sender.sendAttempt(outgoing, unhurried());
      expect(outcome).toMatchObject({ status, body: 'this way' });
      expect(target.callsTo('/new')).toEqual([]);
    },
  );

  it('with status 303 to another host is followed without the body', async () => {
    target.script('/old', redirect(303, elsewhere('/new')));
    await sender.sendAttempt(request(`${target.url}/old`, { method: 'POST', body: { a: 1 } }), unhurried());
    expect(target.callsTo('/new')).toMatchObject([{ method: 'GET', body: '' }]);
  });

  it('to another host drops the credentials of the URL', async () => {
    target.script('/old', redirect(302, elsewhere('/new')));
    await sender.sendAttempt(request(`${target.url.replace('//', '//user:s3cret@')}/old`), unhurried());
    expect(target.callsTo('/old')[0]?.headers).toHaveProperty('authorization');
    expect(target.callsTo('/new')[0]?.headers).not.toHaveProperty('authorization');
  });

  it('from https to http on the same host drops credentials', async () => {
    const secure = await startTarget({ tls: goodCertificate });
    const trusting = newSender({ certificateAuthority: goodCertificate.cert });
    secure.script('/old', redirect(302, `${target.url}/new`));
    await trusting.sendAttempt(
      request(`${secure.url}/old`, { headers: { Authorization: 'Bearer s3cret' } }),
      unhurried(),
    );
    expect(target.callsTo('/new')).toHaveLength(1);
    expect(target.callsTo('/new')[0]?.headers).not.toHaveProperty('authorization');
    trusting.close();
    await secure.close();
  });

  it(`is followed ${MAX_REDIRECTS} times and no further`, async () => {
    for (let step = 0; step < MAX_REDIRECTS; step += 1)
      target.script(`/${step}`, redirect(302, `/${step + 1}`));
    target.script(`/${MAX_REDIRECTS}`, 200);
    expect((await sender.sendAttempt(request(`${target.url}/0`), unhurried())).outcome).toMatchObject({
      status: 200,
    });

    target.script(`/${MAX_REDIRECTS}`, redirect(302, '/one-too-many'));
    expect((await sender.sendAttempt(request(`${target.url}/0`), unhurried())).outcome).toMatchObject({
      kind: 'failed',
      reason: 'TOO_MANY_REDIRECTS',
    });
    expect(target.callsTo('/one-too-many')).toEqual([]);
  });

  it('in a circle ends with the reason TOO_MANY_REDIRECTS', async () => {
    target.script('/loop', redirect(307, '/loop'));
    const { outcome } = await sender.sendAttempt(
      request(`${target.url}/loop`, { method: 'POST', body: 'x' }),
      unhurried(),
    );
    expect(outcome).toMatchObject({ kind: 'failed', reason: 'TOO_MANY_REDIRECTS' });
    expect(target.callsTo('/loop')).toHaveLength(MAX_REDIRECTS + 1);
  });

  it('with an endless body is still followed, and its socket is closed', async () => {
    const endless = await startBadTarget(endlessRedirect(`${target.url}/new`));
    expect((await sender.sendAttempt(request(endless.url), unhurried())).outcome).toMatchObject({
      status: 200,
    });
    await endless.allSocketsClosed();
    await endless.close();
  });

  it.each(['ftp://files.test/', 'http://', 'http://[', 'javascript:alert(1)', 'unix:/var/run/x.sock'])(
    'to %s is the answer itself',
    async (location) => {
      target.script('/old', redirect(302, location));
      expect((await sender.sendAttempt(request(`${target.url}/old`), unhurried())).outcome).toMatchObject({
        status: 302,
        body: 'this way',
      });
    },
  );

  it('without a location is the answer itself', async () => {
    target.script('/old', 302);
    expect((await sender.sendAttempt(request(`${target.url}/old`), unhurried())).outcome).toMatchObject({
      status: 302,
    });
  });

  it.each([300, 304])('is not the meaning of status %i', async (status) => {
    target.script('/old', { status, headers: { location: '/new' } });
    expect((await sender.sendAttempt(request(`${target.url}/old`), unhurried())).outcome).toMatchObject({
      status,
    });
    expect(target.callsTo('/new')).toEqual([]);
  });

  it('with a success status of the job is the answer itself', async () => {
    target.script('/old', redirect(302, '/new'));
    const { outcome } = await sender.sendAttempt(
      request(`${target.url}/old`, { successStatuses: ['302'] }),
      unhurried(),
    );
    expect(expectResponse(outcome)).toMatchObject({ status: 302, headers: { location: '/new' } });
    expect(target.callsTo('/new')).toEqual([]);
  });

  it('to a path with non-ASCII letters arrives there', async () => {
    target.script('/old', redirect(302, Buffer.from('/größe').toString('latin1')));
    await sender.sendAttempt(request(`${target.url}/old`), unhurried());
    expect(target.callsTo('/gr%C3%B6%C3%9Fe')).toHaveLength(1);
  });

  it('extends no timeout: the timeout covers all requests together', async () => {
    target.script('/old', redirect(302, '/hang'));
    target.script('/hang', 'hang');
    const { outcome } = await sender.sendAttempt(request(`${target.url}/old`), unhurried({ timeoutMs: 100 }));
    expect(outcome).toMatchObject({ kind: 'failed', reason: 'TIMEOUT' });
  });
});

describe('a redirect of a public target', () => {
  /** 127.0.0.2 and 127.0.0.3 represent the public network, all others the internal one. */
  const isPublic = (address: string) => ['127.0.0.2', '127.0.0.3'].includes(address);
  const names: Readonly<Record<string, string>> = { 'inner.test': '127.0.0.1', 'outer.test': '127.0.0.3' };
  const resolveAll: ResolveAll = (name) =>
    Promise.resolve([{ address: names[name] ?? '127.0.0.2', family: 4 }]);
  const at = (host: string, path: string) => target.url.replace('127.0.0.1', host) + path;

  let target: TargetServer;
  let guarded: Sender;
  beforeAll(async () => {
    target = await startTarget({ everyAddress: true });
  });
  beforeEach(() => {
    target.calls.length = 0;
    guarded = newSender({ isPublic, resolveAll });
  });
  afterEach(() => {
    guarded.close();
  });
  afterAll(() => target.close());

  it.each(['127.0.0.1', 'inner.test', '[::ffff:127.0.0.1]'])(
    'does not lead to %s on the internal network',
    async (host) => {
      target.script('/public', redirect(302, at(host, '/inner')));
      const { outcome } = await guarded.sendAttempt(request(at('127.0.0.2', '/public')), unhurried());
      expect(outcome).toMatchObject({ kind: 'failed', reason: 'BLOCKED_TARGET' });
      expect(target.callsTo('/inner')).toEqual([]);
    },
  );

  it('does not lead to the internal network over an open connection of another call', async () => {
    await guarded.sendAttempt(request(at('inner.test', '/kept')), unhurried());
    target.script('/public', redirect(302, at('inner.test', '/inner')));
    const { outcome } = await guarded.sendAttempt(request(at('127.0.0.2', '/public')), unhurried());
    expect(outcome).toMatchObject({ kind: 'failed', reason: 'BLOCKED_TARGET' });
    expect(target.callsTo('/inner')).toEqual([]);
  });

  it('does not lead to the internal network through another public target', async () => {
    target.script('/public', redirect(302, at('outer.test', '/second')));
    target.script('/second', redirect(302, at('127.0.0.1', '/inner')));
    const { outcome } = await guarded.sendAttempt(request(at('127.0.0.2', '/public')), unhurried());
    expect(outcome).toMatchObject({ kind: 'failed', reason: 'BLOCKED_TARGET' });
    expect(target.callsTo('/second')).toHaveLength(1);
    expect(target.callsTo('/inner')).toEqual([]);
  });

  it('leads to other public targets', async () => {
    target.script('/public', redirect(302, at('outer.test', '/new')));
    const { outcome } = await guarded.sendAttempt(request(at('127.0.0.2', '/public')), unhurried());
    expect(outcome).toMatchObject({ kind: 'responded', status: 200 });
  });

  it('leads to the internal network when the operator allows the address', async () => {
    const open = newSender({ isPublic, resolveAll, redirectRanges: ['127.0.0.1'] });
    target.script('/public', redirect(302, at('inner.test', '/inner')));
    const { outcome } = await open.sendAttempt(request(at('127.0.0.2', '/public')), unhurried());
    expect(outcome).toMatchObject({ kind: 'responded', status: 200 });
    open.close();
  });

  it('is not restricted for a target of the internal network', async () => {
    target.script('/inner', redirect(302, at('127.0.0.4', '/other')));
    const { outcome } = await guarded.sendAttempt(request(at('127.0.0.1', '/inner')), unhurried());
    expect(outcome).toMatchObject({ kind: 'responded', status: 200 });
  });
});
