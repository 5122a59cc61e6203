import { once } from 'node:events';
import { Agent, get } from 'node:http';
import type { IncomingMessage } from 'node:http';
import { connect } from 'node:net';
import { describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { createHttpServer } from '../../src/server/server.ts';
import { post, sseClient, wsClient } from '../support/graphql-clients.ts';
import { until } from '../support/until.ts';
import { smallSchema } from './small-schema.ts';
import { serverOptions, startTestServer } from './test-server.ts';

describe('Starting', () => {
  it('says what to change when the port is taken', async () => {
    const { port } = await startTestServer();
    const second = createHttpServer(serverOptions(smallSchema(), [], { port }));
    await expect(second.start()).rejects.toThrow(
      `Port ${port} on 127.0.0.1 is already taken by another program. Stop that program, or set PORT to a free port, such as PORT=${port + 1}.`,
    );
    await second.stop();
  });

  it('says what to change when the host is not of this machine', async () => {
    const server = createHttpServer(serverOptions(smallSchema(), [], { host: '192.0.2.1' }));
    await expect(server.start()).rejects.toThrow('HOST is 192.0.2.1, which is no address of this machine');
  });

  it('names an address that can be opened when it listens on all', async () => {
    const server = createHttpServer(serverOptions(smallSchema(), [], { host: '0.0.0.0' }));
    const { url, port } = await server.start();
    expect(url).toBe(`http://localhost:${port}`);
    expect((await post(`http://127.0.0.1:${port}`, '{ hello }')).status).toBe(200);
    await server.stop();
  });
});

describe('Stopping', () => {
  it('closes websockets with 1001 and ends their subscriptions', async () => {
    const { url, ticks, server } = await startTestServer();
    const client = wsClient(url);
    client.subscribe('subscription { tick }');
    await until(() => ticks.pulled > 0);
    await server.stop();
    expect(await client.closed).toMatchObject({ code: 1001, reason: 'Server is stopping' });
    expect(ticks.returned).toBe(1);
  });

  it('ends event streams without saying that the subscription is complete', async () => {
    const { url, ticks, server } = await startTestServer();
    const response = await fetch(`${url}/graphql?query=${encodeURIComponent('subscription { tick }')}`, {
      headers: { Accept: 'text/event-stream' },
    });
    await until(() => ticks.pulled > 0);
    const text = response.text();
    await server.stop();
    expect(await text).not.toContain('complete');
    expect(ticks.returned).toBe(1);
  });

  it('lets a running request finish and accepts no new one', async () => {
    const { url, server, slowAsked, openGate } = await startTestServer();
    const running = post(url, '{ slow }');
    await slowAsked;
    const stopped = server.stop();
    await expect(fetch(`${url}/health/live`, { headers: { Connection: 'close' } })).rejects.toThrow();
    openGate();
    expect((await running).body).toEqual({ data: { slow: 'done' } });
    await stopped;
  });

  it('reports the instance as not ready on connections that are still open', async () => {
    const { url, server, slowAsked, openGate } = await startTestServer();
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    const slow = fetchWith(agent, `${url}/graphql?query={slow}`);
    await slowAsked;
    const health = fetchWith(agent, `${url}/health/ready`);
    const stopped = server.stop();
    openGate();
    expect((await slow).statusCode).toBe(200);
    // The connection closes after the answer, so the second request is answered 503 or not at all.
    const status = await health.then(
      (response) => response.statusCode,
      () => 503,
    );
    expect(status).toBe(503);
    await stopped;
  });

  it('cuts what does not end in time', async () => {
    const { url, server, slowAsked, logged } = await startTestServer({ stopTimeoutMs: 50 });
    const running = post(url, '{ slow }');
    await slowAsked;
    const socket = new WebSocket(`${url.replace('http', 'ws')}/graphql`, 'graphql-transport-ws');
    await once(socket, 'open');
    socket.pause();
    await Promise.all([server.stop(), expect(running).rejects.toThrow()]);
    expect(logged('Connections did not end in time and are cut')).toHaveLength(1);
    socket.terminate();
  });

  it('does not wait for idle connections that are kept alive', async () => {
    const { url, server, logged } = await startTestServer();
    await post(url, '{ hello }');
    await server.stop();
    expect(logged('Connections did not end in time and are cut')).toEqual([]);
  });

  it('does not wait for connections that a browser opened in reserve', async () => {
    const { port, server, logged } = await startTestServer();
    const unused = connect(port, '127.0.0.1');
    await once(unused, 'connect');
    const closed = once(unused, 'close');
    await server.stop();
    await closed;
    expect(logged('Connections did not end in time and are cut')).toEqual([]);
  });

  it('is safe to ask for twice', async () => {
    const { server, url } = await startTestServer();
    const feed = await sseClient(url, 'subscription { tick }');
    await Promise.all([server.stop(), server.stop()]);
    await expect(feed.next()).rejects.toThrow();
  });
});

function fetchWith(agent: Agent, url: string): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    get(url, { agent }, (response) => {
      response.resume();
      resolve(response);
    }).on('error', reject);
  });
}
