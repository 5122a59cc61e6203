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
  ])('is not answered for GraphQL, whoever asks: %s', async (host) => {
    const { url } = await startTestServer();
    expect((await ask(url, host)).status).toBe(421);
    expect((await ask(url, host, { headers: { Accept: 'text/html' } })).status).toBe(421);
    expect((await ask(url, host, { path: '/graphql', headers: UPGRADE })).status).toBe(421);
  });

  it('is told to the operator', async () => {
    const { url } = await startTestServer();
    const { body } = await ask(url, 'scheduler.example.com');
    expect(JSON.parse(body)).toEqual({
      errors: [
        {
          message:
            'The API does not go by the name scheduler.example.com. The operator says in ALLOWED_HOSTS or PUBLIC_URL by which names it does.',
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

  it('is no matter to targets that call back, nor to those that look after the server', async () => {
    const { url } = await startTestServer();
    expect((await ask(url, 'any.example', { path: '/health/live' })).status).toBe(200);
    expect((await ask(url, 'any.example', { path: '/metrics' })).status).toBe(200);
  });
});

describe('The names that are allowed', () => {
  it.each([
    ['none besides those of this machine', {}, []],
    ['any, on an address that others reach', { HOST: '0.0.0.0' }, ['*']],
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
      ['app.example.com', 'jobs.example.com'],
    ],
    ['none by CORS_ORIGINS for all', { CORS_ORIGINS: '*' }, []],
  ])('are %s', (_what, env, names) => {
    expect(loadConfig(env).allowedHosts).toEqual(names);
  });

  it.each(['https://jobs.example.com', 'jobs.example.com:443', 'a b', '*.example.com', 'a,*'])(
    'cannot be %s',
    (text) => {
      expect(() => loadConfig({ ALLOWED_HOSTS: text })).toThrow(/ALLOWED_HOSTS holds/);
    },
  );
});
