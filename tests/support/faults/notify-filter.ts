import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { onTestFinished } from 'vitest';

/** What becomes of the connections: all is passed on, all but notifications is, or they are cut and refused. */
export type FilterMode = 'open' | 'deaf' | 'cut';

/** Stands between servers and their database, for DATABASE_DIRECT_URL: that is where notifications come from. */
export type NotifyFilter = {
  connectionString: string;
  set: (mode: FilterMode) => void;
  /** Notifications that were passed on so far, and that were not. */
  passed: () => number;
  dropped: () => number;
  /** Connections that were refused so far. */
  refused: () => number;
};

/** A message of the server: a byte that says what it is, four for its length, which counts itself. */
const HEADER_BYTES = 5;
const NOTIFICATION = 'A'.charCodeAt(0);

/** Starts one that lasts until the test ends. It does not understand TLS. */
export async function filterNotifications(connectionString: string): Promise<NotifyFilter> {
  const database = new URL(connectionString);
  const sockets = new Set<Socket>();
  let mode: FilterMode = 'open';
  let passed = 0;
  let dropped = 0;
  let refused = 0;

  function isPassedOn(message: Buffer): boolean {
    if (message[0] !== NOTIFICATION) return true;
    if (mode === 'open') passed += 1;
    else dropped += 1;
    return mode === 'open';
  }

  function track(socket: Socket): void {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
  }

  const server = createServer((client) => {
    if (mode === 'cut') {
      refused += 1;
      client.destroy();
      return;
    }
    const upstream = connect(Number(database.port), database.hostname);
    [client, upstream].forEach(track);
    client.on('error', () => upstream.destroy());
    upstream.on('error', () => client.destroy());
    client.pipe(upstream);
    let rest: Buffer = Buffer.alloc(0);
    upstream.on('data', (chunk) => {
      const { messages, left } = splitMessages(Buffer.concat([rest, chunk]));
      rest = left;
      for (const message of messages.filter(isPassedOn)) client.write(message);
    });
    upstream.on('end', () => client.end());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const destroyAll = () => {
    for (const socket of sockets) socket.destroy();
  };
  onTestFinished(
    () =>
      new Promise<void>((resolve) => {
        server.close(() => {
          resolve();
        });
        destroyAll();
      }),
  );

  const url = new URL(database);
  url.hostname = '127.0.0.1';
  url.port = String((server.address() as AddressInfo).port);
  return {
    connectionString: url.href,
    set(next) {
      mode = next;
      if (next === 'cut') destroyAll();
    },
    passed: () => passed,
    dropped: () => dropped,
    refused: () => refused,
  };
}

/** The whole messages in what has arrived, and the beginning of the next. */
function splitMessages(bytes: Buffer): { messages: Buffer[]; left: Buffer } {
  const messages: Buffer[] = [];
  let at = 0;
  while (bytes.length - at >= HEADER_BYTES) {
    const end = at + 1 + bytes.readInt32BE(at + 1);
    if (end > bytes.length) break;
    messages.push(bytes.subarray(at, end));
    at = end;
  }
  return { messages, left: bytes.subarray(at) };
}
