import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { describe, expect, it } from 'vitest';
import { until } from '../../support/until.ts';
import { startTestServer } from '../test-server.ts';

/** What comes back for this, until the server closes the connection. */
async function answerTo(port: number, request: string): Promise<string> {
  const socket = connect(port, '127.0.0.1');
  socket.write(request);
  return await text(socket);
}

const BODY = '{"query":"{ hello }"}';

function post(headers: readonly string[], body = BODY): string {
  const lines = [
    'POST /graphql HTTP/1.1',
    'Host: localhost',
    'Content-Type: application/json',
    `Content-Length: ${body.length}`,
    ...headers,
  ];
  return `${lines.join('\r\n')}\r\n\r\n${body}`;
}

// What java.net.http.HttpClient sends with its first request to an http:// URL.
const H2C = ['Connection: Upgrade, HTTP2-Settings', 'Upgrade: h2c', 'HTTP2-Settings: AAEAAEAAAAIAAAAA'];

describe('A request that offers to upgrade to something else than a websocket', () => {
  it.each([
    ['HTTP/2', H2C],
    ['TLS', ['Connection: Upgrade', 'Upgrade: TLS/1.0']],
    ['what nobody knows', ['Upgrade: foo', 'connection: upgrade']],
  ])('is answered without, where that is %s', async (_what, offer) => {
    const { port } = await startTestServer();
    const answers = await answerTo(port, post(offer) + post(['Connection: close']));
    expect(answers.match(/HTTP\/1\.1 [^\r]*/g)).toEqual(['HTTP/1.1 200 OK', 'HTTP/1.1 200 OK']);
    expect(answers.match(/\{"data":.*?\}\}/g)).toEqual(Array(2).fill('{"data":{"hello":"world"}}'));
  });

  it('may send its body later, and keeps its other headers', async () => {
    const { port } = await startTestServer();
    const socket = connect(port, '127.0.0.1');
    const answer = text(socket);
    const body = '{"query":"{ requestId }"}';
    const whole = post([...H2C, 'X-Request-Id: order-17', 'Connection: close'], body);
    socket.write(whole.slice(0, -body.length));
    await new Promise(setImmediate);
    socket.write(body);
    expect(await answer).toContain('{"data":{"requestId":"order-17"}}');
  });

  it('does not keep the server from stopping', async () => {
    const { port, server, logged } = await startTestServer();
    const answer = answerTo(port, post(H2C));
    await until(() => logged('Request answered').length === 1);
    await server.stop();
    expect(await answer).toContain('{"data":{"hello":"world"}}');
    expect(logged('Connections did not end in time and are cut')).toEqual([]);
  });
});
