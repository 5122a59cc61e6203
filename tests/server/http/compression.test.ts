import { request, type IncomingMessage } from 'node:http';
import { buffer } from 'node:stream/consumers';
import { brotliDecompressSync, gunzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { chooseEncoding, compressible } from '../../../src/server/http/compression.ts';
import { startTestServer } from '../test-server.ts';

/** A query whose answer repeats itself, and is as long as it likes. */
const longQuery = (fields: number) =>
  `{ ${Array.from({ length: fields }, (_, n) => `field${n}: hello`).join(' ')} }`;

/** A request whose answer nobody unpacks. */
async function ask(
  port: number,
  query: string,
  headers: Record<string, string>,
): Promise<{ headers: IncomingMessage['headers']; body: Buffer }> {
  const path = `/graphql?query=${encodeURIComponent(query)}`;
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    request({ host: '127.0.0.1', port, path, headers }, resolve).on('error', reject).end();
  });
  return { headers: response.headers, body: await buffer(response) };
}

describe('the encoding of an answer', () => {
  it.each([
    [undefined, null],
    ['', null],
    ['identity', null],
    ['gzip', 'gzip'],
    ['x-gzip', 'gzip'],
    ['br', 'br'],
    ['gzip, deflate, br, zstd', 'br'],
    ['GZIP;Q=0.9 , br;q=0.8', 'gzip'],
    ['br;q=0, gzip', 'gzip'],
    ['*', 'br'],
    ['*;q=0.1, br;q=0', 'gzip'],
    ['gzip;q=0', null],
    ['*;q=0', null],
    ['gzip;q=nonsense', null],
    ['deflate', null],
  ] as const)('by %j is %j', (accepted, encoding) => {
    expect(chooseEncoding(accepted)).toBe(encoding);
  });
});

describe('an answer that several get', () => {
  it('is compressed once for each encoding that they like', async () => {
    const text = 'a dashboard '.repeat(1_000);
    const answer = compressible(text);
    const [gzipped, again, brotlied, plain] = await Promise.all(
      ['gzip', 'gzip;q=0.5', 'br', undefined].map((accepted) => answer(accepted)),
    );
    expect(again).toBe(gzipped);
    expect(gunzipSync(gzipped?.body ?? '').toString()).toBe(text);
    expect(brotliDecompressSync(brotlied?.body ?? '').toString()).toBe(text);
    expect(plain).toEqual({ body: text, bytes: text.length, encoding: null });
  });
});

describe('an answer over HTTP', () => {
  it.each([
    ['gzip', gunzipSync],
    ['br', brotliDecompressSync],
  ] as const)(
    'is compressed by %s for whoever accepts that, and the same as without',
    async (encoding, unpack) => {
      const { port } = await startTestServer();
      const plain = await ask(port, longQuery(100), {});
      const packed = await ask(port, longQuery(100), { 'Accept-Encoding': encoding });
      expect(plain.headers).toMatchObject({ 'content-length': `${plain.body.length}` });
      expect(plain.headers).not.toHaveProperty('content-encoding');
      expect(packed.headers).toMatchObject({
        'content-encoding': encoding,
        'content-length': `${packed.body.length}`,
      });
      expect(unpack(packed.body)).toEqual(plain.body);
      expect(packed.body.length).toBeLessThan(plain.body.length / 3);
      for (const { headers } of [plain, packed]) expect(headers.vary).toContain('Accept-Encoding');
    },
  );

  it('is left as it is where it is small', async () => {
    const { port } = await startTestServer();
    const { headers, body } = await ask(port, '{ hello }', { 'Accept-Encoding': 'gzip, br' });
    expect(headers).not.toHaveProperty('content-encoding');
    expect(body.toString()).toBe('{"data":{"hello":"world"}}');
  });

  it('is understood by fetch as it is', async () => {
    const { url } = await startTestServer();
    const response = await fetch(`${url}/graphql?query=${encodeURIComponent(longQuery(100))}`);
    expect(response.headers.get('content-encoding')).toMatch(/^(gzip|br)$/);
    expect(await response.json()).toMatchObject({ data: { field99: 'world' } });
  });

  it('that is an event stream is never compressed: events would wait for more to come', async () => {
    const { port } = await startTestServer();
    const { headers, body } = await ask(port, longQuery(100), {
      Accept: 'text/event-stream',
      'Accept-Encoding': 'gzip, br',
    });
    expect(headers).not.toHaveProperty('content-encoding');
    expect(body.toString()).toContain('event: complete');
  });

  it('says beside it that it varies with its origin, where pages of others may ask', async () => {
    const { port } = await startTestServer({ corsOrigins: ['https://app.test'] });
    const { headers } = await ask(port, '{ hello }', { Origin: 'https://app.test' });
    expect(headers.vary).toBe('Origin, Accept-Encoding');
  });
});
