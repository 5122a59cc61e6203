import { createServer } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import { gzipSync } from 'node:zlib';
import type { RecordedCall } from './target-server.ts';

/** What a misbehaving target does with a connection, once a request's head has arrived. */
export type Misbehaviour = (socket: Socket, requestNumber: number) => void;

export type BadTarget = {
  url: string;
  /** Every request so far, in the order of arrival; bodies are not looked at. */
  calls: RecordedCall[];
  /** Connections accepted since the start. */
  connections: () => number;
  openSockets: () => number;
  /** Bytes handed to the network so far, by all connections. */
  bytesSent: () => number;
  /** Resolves once a request's head has arrived, and again for each further one that is waited for. */
  requested: (count?: number) => Promise<void>;
  allSocketsClosed: () => Promise<void>;
  close: () => Promise<void>;
};

/** A target on bare sockets, for everything that an HTTP server would not let itself do. */
export async function startBadTarget(misbehave: Misbehaviour): Promise<BadTarget> {
  const sockets = new Set<Socket>();
  const calls: RecordedCall[] = [];
  let connections = 0;
  let bytesOfClosed = 0;
  let waiting: (() => void)[] = [];
  const changed = () => {
    const woken = waiting;
    waiting = [];
    for (const wake of woken) wake();
  };
  const until = async (condition: () => boolean) => {
    while (!condition()) await new Promise<void>((resolve) => waiting.push(resolve));
  };

  // Half-open, so that what happens at the end of a stream is the misbehaviour's choice.
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    connections += 1;
    sockets.add(socket);
    let head = '';
    socket.on('data', (chunk) => {
      head += chunk.toString('latin1');
      if (!head.includes('\r\n\r\n')) return;
      calls.push(readHead(head));
      head = '';
      misbehave(socket, calls.length);
      changed();
    });
    // The caller has hung up; whatever was still to be sent has nobody to read it.
    socket.on('end', () => socket.destroy());
    socket.on('error', () => socket.destroy());
    socket.on('close', () => {
      sockets.delete(socket);
      bytesOfClosed += socket.bytesWritten;
      changed();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));

  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    calls,
    connections: () => connections,
    openSockets: () => sockets.size,
    bytesSent: () => [...sockets].reduce((sum, socket) => sum + socket.bytesWritten, bytesOfClosed),
    requested: (count = 1) => until(() => calls.length >= count),
    allSocketsClosed: () => until(() => sockets.size === 0),
    close: () =>
      new Promise<void>((resolve) => {
        server.close(() => {
          resolve();
        });
        for (const socket of sockets) socket.destroy();
      }),
  };
}

function readHead(head: string): RecordedCall {
  const [requestLine = '', ...lines] = head.slice(0, head.indexOf('\r\n\r\n')).split('\r\n');
  const [method = '', target = '/'] = requestLine.split(' ');
  const { pathname, search } = new URL(target, 'http://target');
  const headers = Object.fromEntries(
    lines.map((line) => [
      line.slice(0, line.indexOf(':')).toLowerCase(),
      line.slice(line.indexOf(':') + 1).trim(),
    ]),
  );
  return { method, path: pathname, query: search, headers, body: '', at: new Date() };
}

const head = (...lines: string[]) =>
  ['HTTP/1.1 200 OK', 'Content-Type: text/plain', ...lines, '', ''].join('\r\n');

/** Accepts and never says a word. */
export const silence: Misbehaviour = () => undefined;

/** Sends its status line a byte at a time, without end. */
export const slowHead: Misbehaviour = (socket) => {
  drip(socket, 'HTTP/1.1 200 OK\r\nX-Slow: ');
};

/** Sends its head at once and its body a byte at a time, without end. */
export const slowBody: Misbehaviour = (socket) => {
  drip(socket, head('Content-Length: 1000000'));
};

/** Sends a redirect whose body never ends. */
export const endlessRedirect =
  (location: string): Misbehaviour =>
  (socket) => {
    socket.write(`HTTP/1.1 302 Found\r\nLocation: ${location}\r\nTransfer-Encoding: chunked\r\n\r\n`);
    pour(socket, chunked(Buffer.alloc(16_384, 'r')));
  };

/** Redirects to another path of its own, from there too. */
export const redirectLoop: Misbehaviour = (socket) => {
  socket.write('HTTP/1.1 302 Found\r\nLocation: /again\r\nContent-Length: 0\r\n\r\n');
};

/** Resets the connection in place of an answer. */
export const reset: Misbehaviour = (socket) => {
  socket.resetAndDestroy();
};

/** Resets the connection in the middle of the body. */
export const resetInBody: Misbehaviour = (socket) => {
  socket.write(`${head('Content-Length: 1000')}only this`, () => socket.resetAndDestroy());
};

/** Ends the connection properly, but without an answer. */
export const closeWithoutAnswer: Misbehaviour = (socket) => {
  socket.end();
};

/** Announces more body than it sends, and ends its half of the connection. */
export const halfClose: Misbehaviour = (socket) => {
  socket.end(`${head('Content-Length: 1000')}only this`);
};

/** Ends a chunked body before its last chunk. */
export const cutChunks: Misbehaviour = (socket) => {
  socket.end(`${head('Transfer-Encoding: chunked')}5\r\nhello\r\n`);
};

/** Sends a chunk whose size is no number. */
export const badChunk: Misbehaviour = (socket) => {
  socket.write(`${head('Transfer-Encoding: chunked')}5\r\nhello\r\nZZZ\r\nrest\r\n`);
};

/** Sends what is not HTTP at all. */
export const notHttp: Misbehaviour = (socket) => {
  socket.write('SSH-2.0-OpenSSH_9.9\r\n');
};

/** Says gzip and sends plain text. */
export const badGzip: Misbehaviour = (socket) => {
  socket.end(`${head('Content-Encoding: gzip', 'Content-Length: 9', 'Connection: close')}not gzip!`);
};

/** Begins a gzip stream well and spoils its middle. */
export const spoiledGzip: Misbehaviour = (socket) => {
  const body = gzipSync(Buffer.alloc(2_000, 'spoil'));
  body.fill(0xff, 12);
  socket.write(head('Content-Encoding: gzip', `Content-Length: ${body.length}`));
  socket.write(body);
};

let bomb: Buffer | undefined;

/** Sends little that unpacks to much, without end. */
export const gzipBomb: Misbehaviour = (socket) => {
  socket.write(head('Content-Encoding: gzip'));
  bomb ??= gzipSync(Buffer.alloc(16 * 1_048_576, '0'), { level: 9 });
  pour(socket, bomb);
};

/** Packs a body that unpacks to nothing: empty gzip members without end. */
export const emptyGzipMembers: Misbehaviour = (socket) => {
  socket.write(head('Content-Encoding: gzip'));
  const members = Buffer.concat(Array.from({ length: 500 }, () => gzipSync('')));
  pour(socket, members);
};

/** Sends chunks without end. */
export const endlessBody: Misbehaviour = (socket) => {
  socket.write(head('Transfer-Encoding: chunked'));
  pour(socket, chunked(Buffer.alloc(16_384, 'e')));
};

/** Announces a gigabyte and sends as much of it as is taken. */
export const gigabyteBody: Misbehaviour = (socket) => {
  socket.write(head(`Content-Length: ${1024 ** 3}`));
  pour(socket, Buffer.alloc(65_536, 'g'));
};

/** Sends headers without end. */
export const endlessHeaders: Misbehaviour = (socket) => {
  socket.write('HTTP/1.1 200 OK\r\n');
  pour(socket, Buffer.from(`X-Filler: ${'h'.repeat(1_000)}\r\n`));
};

/** Sends informational responses without end. */
export const endlessInformation: Misbehaviour = (socket) => {
  drip(socket, '', 'HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n');
};

/** The same, as fast as they are taken. */
export const floodOfInformation: Misbehaviour = (socket) => {
  pour(socket, Buffer.from('HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n'.repeat(400)));
};

/** Sends informational responses with long headers without end. */
export const longInformation: Misbehaviour = (socket) => {
  drip(socket, '', `HTTP/1.1 103 Early Hints\r\nLink: ${'h'.repeat(14_000)}\r\n\r\n`);
};

/** Sends as many informational responses as are accepted, and then an answer. */
export const someInformation: Misbehaviour = (socket) => {
  socket.write('HTTP/1.1 102 Processing\r\n\r\n'.repeat(20));
  socket.write(head('Content-Length: 0'));
};

/** Switches to another protocol, which nobody asked for. */
export const unaskedUpgrade: Misbehaviour = (socket) => {
  socket.write(
    'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n\x81\x00',
  );
};

/** Answers the first request of a connection and resets it at the second, as a server that is closing idle ones. */
export function answersOncePerConnection(): Misbehaviour {
  const served = new WeakSet<Socket>();
  return (socket) => {
    if (served.has(socket)) {
      socket.resetAndDestroy();
      return;
    }
    served.add(socket);
    socket.write(head('Content-Length: 0'));
  };
}

function chunked(data: Buffer): Buffer {
  return Buffer.concat([Buffer.from(`${data.length.toString(16)}\r\n`), data, Buffer.from('\r\n')]);
}

/** Writes as fast as the caller reads. */
function pour(socket: Socket, data: Buffer): void {
  const write = () => {
    while (!socket.destroyed && socket.write(data));
  };
  socket.on('drain', write);
  write();
}

/** Writes one piece after the other with pauses between them, so that no single wait is long. */
function drip(socket: Socket, start: string, piece = 'x'): void {
  socket.write(start);
  const timer = setInterval(() => socket.write(piece), 5);
  socket.on('close', () => {
    clearInterval(timer);
  });
}
