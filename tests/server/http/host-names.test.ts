import { once } from 'node:events';
import { request, type IncomingMessage } from 'node:http';
import { text } from 'node:stream/consumers';
import { describe, expect, it } from 'vitest';
import { loadConfig } from '../../../src/config/config.ts';
import { startTestServer } from '../test-server.ts';

/** fetch sets the Host header itself. */
async function ask(
  url: string,
  host: string,
  { path = '/graphql?query={hello}', headers = {} }: { path?: string; headers?: Record<string, string> } = {},
): Promise<{ status: number | undefined; body: string }> {
  const sent = request(new URL(path, url), {
    headers: { Accept: 'application/json', ...headers, Host: host },
  });
  sent.end();
  const upgraded = once(sent, 'upgrade').then(([response, socket]) => {
    (socket as { destroy: () => void }).destroy();
    return { status: (response as IncomingMessage).statusCode, body: '' };
  });
  const answered = once(sent, 'response').then(async ([response]) => ({
    status: (response as IncomingMessage).statusCode,
    body: await text(response as IncomingMessage),
  }));
  return Promise.race([upgraded, answered]);
}

const UPGRADE = {
  Connection: 'Upgrade',
  Upgrade: 'websocket',
  'Sec-WebSocket-Version': '13',
  'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ==',
  'Sec-WebSocket-Protocol': 'graphql-transport-ws',
};

describe('A name that leads here', () => {
  it.each([
    'evil.example',
    'evil.example:3000',
    'EVIL.example.',
    '127.0.0.1.evil.example',
    'localhost.evil.example',
    ' ',
  ])('is answered on no path, whoever asks: %s', async (host) => {
    const { url } = await startTestServer();
    expect((await ask(url, host)).status).toBe(421);
    expect((await ask(url, host, { headers: { Accept: 'text/html' } })).status).toBe(421);
    for (const path of ['/', '/health', '/health/live', '/health/ready', '/metrics', '/other'])
      expect([path, (await ask(url, host, { path })).status]).toEqual([path, 421]);
    for (const path of ['/graphql', '/other'])
      expect((await ask(url, host, { path, headers: UPGRADE })).status).toBe(421);
  });

  it('is told to the operator', async () => {
    const { url } = await startTestServer();
    const { body } = await ask(url, 'scheduler.example.com');
    expect(JSON.parse(body)).toEqual({
      errors: [
        {
          message:
            'The server does not go by the name scheduler.example.com. The operator says in ALLOWED_HOSTS or PUBLIC_URL by which names it does.',
          extensions: { code: 'HOST_NOT_ALLOWED' },
        },
      ],
    });
  });

  it.each([
    '127.0.0.1',
    'localhost:3000',
    'LOCALHOST.',
    'app.localhost',
    '[::1]:3000',
    '192.168.1.7',
    'scheduler',
    'jobs.example.com',
    'Jobs.Example.com:8443',
  ])('is answered where nobody else can own it, or it is allowed: %s', async (host) => {
    const { url } = await startTestServer({ allowedHosts: ['jobs.example.com'] });
    expect((await ask(url, host)).status).toBe(200);
    expect((await ask(url, host, { path: '/graphql', headers: UPGRADE })).status).toBe(101);
  });

  it('may be any where all are allowed', async () => {
    const { url } = await startTestServer({ allowedHosts: ['*'] });
    expect((await ask(url, 'any.example')).status).toBe(200);
  });

  it.each(['10.1.2.3:3000', '[fd00::7]:3000'])(
    'may be the address of a pod, by which orchestrators probe and scrape: %s',
    async (host) => {
      const { url } = await startTestServer({ allowedHosts: ['jobs.example.com'] });
      for (const path of ['/health', '/health/live', '/health/ready', '/metrics'])
        expect([path, (await ask(url, host, { path })).status]).toEqual([path, 200]);
    },
  );

  it('is no matter to callbacks, which a token of ours authorizes', async () => {
    const { url } = await startTestServer();
    const { status, body } = await ask(url, 'former-name.example', { path: '/callbacks/none-of-ours' });
    expect([status, JSON.parse(body)]).toMatchObject([
      405,
      { errors: [{ extensions: { code: 'METHOD_NOT_ALLOWED' } }] },
    ]);
  });
});

describe('The names that are allowed', () => {
  it.each([
    ['none besides those of this machine', {}, []],
    ['any, on an address that others reach, where no name is known', { HOST: '0.0.0.0' }, ['*']],
    [
      'any, where only the names of other servers are known',
      { HOST: '::', CORS_ORIGINS: 'https://app.example.com' },
      ['*', 'app.example.com'],
    ],
    [
      'that of PUBLIC_URL, on every address',
      { HOST: '0.0.0.0', PUBLIC_URL: 'https://jobs.example.com' },
      ['jobs.example.com'],
    ],
    [
      'that of PUBLIC_URL, on every address of IPv6',
      { HOST: '::', PUBLIC_URL: 'https://jobs.example.com' },
      ['jobs.example.com'],
    ],
    ['the name that is listened on', { HOST: 'Jobs.example.com' }, ['jobs.example.com']],
    [
      'any, also where names are known, if that is said',
      { HOST: '0.0.0.0', PUBLIC_URL: 'https://jobs.example.com', ALLOWED_HOSTS: '*' },
      ['*', 'jobs.example.com'],
    ],
    [
      'those that are set',
      { HOST: '0.0.0.0', ALLOWED_HOSTS: 'Jobs.example.com, b.example' },
      ['jobs.example.com', 'b.example'],
    ],
    [
      'none besides those of this machine, also where it is said',
      { HOST: '0.0.0.0', ALLOWED_HOSTS: 'none' },
      [],
    ],
    [
      'that of PUBLIC_URL, and those of CORS_ORIGINS',
      { PUBLIC_URL: 'https://jobs.example.com:8443/x', CORS_ORIGINS: 'https://app.example.com' },
      ['jobs.example.com', 'app.example.com'],
    ],
    ['none by CORS_ORIGINS for all', { CORS_ORIGINS: '*' }, []],
  ])('are %s', (_what, env, names) => {
    expect(loadConfig({ AUTH_MODE: 'keys', ...env }).allowedHosts).toEqual(names);
  });

  it.each(['https://jobs.example.com', 'jobs.example.com:443', 'a b', '*.example.com', 'a,*'])(
    'cannot be %s',
    (text) => {
      expect(() => loadConfig({ ALLOWED_HOSTS: text })).toThrow(/ALLOWED_HOSTS holds/);
    },
  );
});
