import { connect } from 'node:net';
import { answer } from './answer.ts';

/** Sends one GraphQL request again and again over kept connections, and reads no more of an answer than where it ends. */
export type HttpLoadRequest = {
  kind: 'load';
  url: string;
  query: string;
  /** Whether each request gets a `$since` of its own, so that no two ask the same. */
  asksApart: boolean;
  /** An API key to send with each request. */
  key?: string;
  connections: number;
  requests: number;
};

export type HttpLoadResult = { perSecond: number };

answer(async (request: HttpLoadRequest): Promise<HttpLoadResult> => {
  const { url, query, asksApart, key, connections, requests } = request;
  const { hostname, port } = new URL(url);
  const authorization = key === undefined ? '' : `Authorization: Bearer ${key}\r\n`;
  const messageWith = (variables: object): Buffer => {
    const body = JSON.stringify({ query, variables });
    return Buffer.from(
      `POST /graphql HTTP/1.1\r\nHost: ${hostname}:${port}\r\nContent-Type: application/json\r\n${authorization}Accept: application/json\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
    );
  };
  const message = messageWith({});
  let left = requests;
  const beganMs = performance.now();
  await Promise.all(
    Array.from({ length: connections }, () =>
      keepAsking(Number(port), () => {
        left -= 1;
        if (left < 0) return null;
        return asksApart ? messageWith({ since: new Date(left) }) : message;
      }),
    ),
  );
  return { perSecond: (requests * 1_000) / (performance.now() - beganMs) };
});

/** One connection's share: a request after the other for as long as there is a next one. */
function keepAsking(port: number, next: () => Buffer | null): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1');
    let received = '';
    const ask = () => {
      received = '';
      const message = next();
      if (message) socket.write(message);
      else socket.end(resolve);
    };
    socket.setNoDelay().setEncoding('latin1');
    socket.on('connect', ask);
    socket.on('error', reject);
    socket.on('data', (chunk: string) => {
      received += chunk;
      if (!isComplete(received)) return;
      if (!received.startsWith('HTTP/1.1 200') || received.includes('"errors"')) reject(new Error(received));
      else ask();
    });
  });
}

/** By its length, or by the last chunk. */
function isComplete(received: string): boolean {
  const end = received.indexOf('\r\n\r\n');
  if (end === -1) return false;
  const length = /\r\ncontent-length: (\d+)/i.exec(received.slice(0, end))?.[1];
  return length === undefined
    ? received.endsWith('\r\n0\r\n\r\n')
    : received.length >= end + 4 + Number(length);
}
