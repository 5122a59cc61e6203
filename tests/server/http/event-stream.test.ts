import { request } from 'node:http';
import type { IncomingMessage } from 'node:http';
import { describe, expect, it, onTestFinished } from 'vitest';
import { sseClient } from '../../support/graphql-clients.ts';
import { until } from '../../support/until.ts';
import { startTestServer } from '../test-server.ts';

/** Opens an event stream whose reading the test controls: it is paused until resumed. */
function openStream(port: number, query: string): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const path = `/graphql?query=${encodeURIComponent(query)}`;
    const sent = request(
      { host: '127.0.0.1', port, path, headers: { Accept: 'text/event-stream' } },
      resolve,
    );
    sent.on('error', reject);
    sent.end();
    onTestFinished(() => {
      sent.destroy();
    });
  });
}

describe('A subscription as an event stream', () => {
  it('delivers what the subscription tells', async () => {
    const { url, ticks } = await startTestServer();
    const feed = await sseClient(url, 'subscription { tick }');
    await until(() => ticks.pulled > 0);
    ticks.push('one');
    expect(await feed.next()).toEqual({ data: { tick: 'one' } });
    ticks.push('two');
    expect(await feed.next()).toEqual({ data: { tick: 'two' } });
    feed.close();
  });

  it('ends its source when the client goes away, even if nothing is ever told', async () => {
    const { url, ticks } = await startTestServer();
    const feed = await sseClient(url, 'subscription { tick }');
    await until(() => ticks.pulled > 0);
    feed.close();
    await until(() => ticks.returned === 1);
  });

  it('ends its source when the client goes away while it does not read', async () => {
    const { port, flood } = await startTestServer();
    const stream = await openStream(port, 'subscription { flood }');
    await until(() => flood.pulled > 10);
    stream.destroy();
    await until(() => flood.returned === 1);
  });

  it('stops its source while the client does not read, and goes on with it', async () => {
    const { port, flood } = await startTestServer();
    const stream = await openStream(port, 'subscription { flood }');
    let pulled = -1;
    let sinceMs = performance.now();
    await until(() => {
      if (flood.pulled !== pulled) sinceMs = performance.now();
      pulled = flood.pulled;
      return pulled > 0 && performance.now() - sinceMs > 300;
    });
    expect(pulled).toBeLessThan(2_000);
    stream.resume();
    await until(() => flood.pulled > pulled + 100);
  });

  it('is cut when the client takes in nothing for too long', async () => {
    const { port, flood } = await startTestServer({ slowReaderTimeoutMs: 200 });
    await openStream(port, 'subscription { flood }');
    await until(() => flood.returned === 1);
  });

  it('hides an unexpected error of its source, and ends', async () => {
    const { url, ticks, logged } = await startTestServer();
    const feed = await sseClient(url, 'subscription { tick }');
    await until(() => ticks.pulled > 0);
    ticks.fail(new Error('connection to 10.0.0.7 lost'));
    expect(await feed.next()).toMatchObject({
      errors: [{ message: 'Internal error', extensions: { code: 'INTERNAL_ERROR' } }],
    });
    await expect(feed.next()).rejects.toThrow('The event stream is over');
    expect(logged('Unexpected error while answering a request')).toHaveLength(1);
  });
});

/** A stream's blocks as they stand on the wire, up to one that fits. */
async function blocksUntil(response: Response, fits: (block: string) => boolean): Promise<string[]> {
  const blocks: string[] = [];
  let text = '';
  const decoder = new TextDecoder();
  for await (const chunk of response.body ?? []) {
    text += decoder.decode(chunk, { stream: true });
    const complete = text.split('\n\n');
    text = complete.pop() ?? '';
    blocks.push(...complete);
    if (complete.some(fits)) break;
  }
  return blocks;
}

describe('What stands in an event stream', () => {
  it('is the distinct connections mode of GraphQL over server-sent events, with ids beside it', async () => {
    const { url, letters } = await startTestServer();
    const query = encodeURIComponent('subscription { letter { name } }');
    const response = await fetch(`${url}/graphql?query=${query}`, {
      headers: { Accept: 'text/event-stream' },
    });
    expect(response.status).toBe(200);
    expect(response.headers.get('content-type')).toBe('text/event-stream');
    expect(response.headers.get('cache-control')).toBe('no-cache, no-transform');
    expect(response.headers.get('x-accel-buffering')).toBe('no');
    await until(() => letters.pulled > 0);
    letters.push('one');
    letters.push('two');
    letters.end();
    expect(await blocksUntil(response, (block) => block.startsWith('event: complete'))).toEqual([
      'retry: 1000',
      'id: cursor-one\nevent: next\ndata: {"data":{"letter":{"name":"one"}}}',
      'id: cursor-two\nevent: next\ndata: {"data":{"letter":{"name":"two"}}}',
      'event: complete\ndata:',
    ]);
  });

  it('has no ids where events have no cursors', async () => {
    const { url, ticks } = await startTestServer();
    const query = encodeURIComponent('subscription { tick }');
    const response = await fetch(`${url}/graphql?query=${query}`, {
      headers: { Accept: 'text/event-stream' },
    });
    await until(() => ticks.pulled > 0);
    ticks.push('one');
    expect(await blocksUntil(response, (block) => block.startsWith('event'))).toEqual([
      'retry: 1000',
      'event: next\ndata: {"data":{"tick":"one"}}',
    ]);
  });

  it('is a result and its end for a query', async () => {
    const { url } = await startTestServer();
    const response = await fetch(`${url}/graphql?query={hello}`, {
      headers: { Accept: 'text/event-stream' },
    });
    const blocks = (await response.text()).split('\n\n');
    expect(blocks).toEqual([
      ':',
      'event: next\ndata: {"data":{"hello":"world"}}',
      'event: complete\ndata:',
      '',
    ]);
  });
});
