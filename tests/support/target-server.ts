import { createServer } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';

/** One request as the target saw it. */
export type RecordedCall = {
  method: string;
  /** Without the query. */
  path: string;
  /** With the leading `?`, or empty. */
  query: string;
  /** Names in lower case. */
  headers: Readonly<Record<string, string>>;
  body: string;
  at: Date;
};

/** An answer: a status alone, a whole response, `hang` for none at all, or a function of the call. */
export type Reply = number | 'hang' | ReplyParts | ((call: RecordedCall) => Reply);

export type ReplyParts = {
  status?: number;
  headers?: Record<string, string>;
  /** Text and buffers are sent as they are, anything else as JSON. */
  body?: unknown;
  /** The answer is held until this settles. */
  after?: Promise<unknown>;
};

/** Holds the answers of a path until it is opened. */
export type Gate = { open: () => void };

export type TargetServer = {
  /** http://127.0.0.1:port, without a slash at the end. */
  url: string;
  /** Every request so far, in the order of arrival. */
  calls: RecordedCall[];
  callsTo: (path: string) => RecordedCall[];
  /** Answers the path's calls in turn; the last reply goes on for ever. Paths without a script answer 200 "ok". */
  script: (path: string, replies: Reply | readonly Reply[]) => void;
  /** Holds the path's calls until the gate is opened, then answers them. */
  gate: (path: string, reply?: number | ReplyParts) => Gate;
  /** Resolves with the path's calls as soon as there are that many. */
  received: (path: string, count?: number) => Promise<RecordedCall[]>;
  /** Resolves as soon as no connection is open. */
  allSocketsClosed: () => Promise<void>;
  openSockets: () => number;
  close: () => Promise<void>;
};

export type TargetOptions = {
  /** Serves https with this certificate. */
  tls?: { key: string; cert: string };
  /** Listens on every address of the machine, so that 127.0.0.1, 127.0.0.2 and so on lead to it: many hosts to a caller. */
  everyAddress?: boolean;
  /** After how long an unused connection is closed; node's five seconds where left out. */
  keepAliveTimeoutMs?: number;
};

/**
 * Starts the far side of a test: it records what it is sent and answers by script.
 *
 * Waiting is by `received` and gates, so that no test has to sleep.
 */
export async function startTarget(options: TargetOptions = {}): Promise<TargetServer> {
  const calls: RecordedCall[] = [];
  const scripts = new Map<string, Reply[]>();
  const sockets = new Set<Socket>();
  const changes = createSignal();

  const handle = (request: IncomingMessage, response: ServerResponse) => {
    record(request).then(
      (call) => {
        calls.push(call);
        changes.emit();
        return answer(response, call, nextReply(scripts.get(call.path)));
      },
      // The caller hung up in the middle of its request: there is nobody to answer.
      () => response.destroy(),
    );
  };
  const server = options.tls ? createTlsServer(options.tls, handle) : createServer(handle);
  if (options.keepAliveTimeoutMs !== undefined) server.keepAliveTimeout = options.keepAliveTimeoutMs;
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.on('error', () => socket.destroy());
    socket.on('close', () => {
      sockets.delete(socket);
      changes.emit();
    });
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, options.everyAddress ? '0.0.0.0' : '127.0.0.1', resolve);
  });

  const callsTo = (path: string) => calls.filter((call) => call.path === path);
  const script = (path: string, replies: Reply | readonly Reply[]) => {
    scripts.set(path, Array.isArray(replies) ? [...(replies as readonly Reply[])] : [replies as Reply]);
  };
  return {
    url: `${options.tls ? 'https' : 'http'}://127.0.0.1:${(server.address() as AddressInfo).port}`,
    calls,
    callsTo,
    script,
    gate(path, reply = 200) {
      const gate = createGate();
      const parts = typeof reply === 'number' ? { status: reply } : reply;
      script(path, { ...parts, after: gate.opened });
      return { open: gate.open };
    },
    async received(path, count = 1) {
      while (callsTo(path).length < count) await changes.next();
      return callsTo(path);
    },
    async allSocketsClosed() {
      while (sockets.size > 0) await changes.next();
    },
    openSockets: () => sockets.size,
    close: () =>
      new Promise<void>((resolve) => {
        server.close(() => {
          resolve();
        });
        for (const socket of sockets) socket.destroy();
      }),
  };
}

function nextReply(replies: Reply[] | undefined): Reply {
  if (!replies) return { status: 200, body: 'ok' };
  return (replies.length > 1 ? replies.shift() : replies[0]) ?? 200;
}

async function record(request: IncomingMessage): Promise<RecordedCall> {
  const at = new Date();
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  const { pathname, search } = new URL(request.url ?? '/', 'http://target');
  const headers = Object.fromEntries(
    Object.entries(request.headers).map(([name, value]) => [
      name,
      Array.isArray(value) ? value.join(', ') : (value ?? ''),
    ]),
  );
  return {
    method: request.method ?? '',
    path: pathname,
    query: search,
    headers,
    body: Buffer.concat(chunks).toString(),
    at,
  };
}

async function answer(response: ServerResponse, call: RecordedCall, reply: Reply): Promise<void> {
  if (typeof reply === 'function') return answer(response, call, reply(call));
  if (reply === 'hang') return;
  const {
    status = 200,
    headers = {},
    body = '',
    after,
  } = typeof reply === 'number' ? { status: reply } : reply;
  await after;
  const isRaw = typeof body === 'string' || Buffer.isBuffer(body);
  response.writeHead(status, isRaw ? headers : { 'content-type': 'application/json', ...headers });
  response.end(isRaw ? body : JSON.stringify(body));
}

/** A promise that is settled from outside. */
export function createGate(): Gate & { opened: Promise<void> } {
  let open = () => {
    // Replaced at once: a promise runs its function before the constructor returns.
  };
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { open, opened };
}

/** Wakes all who wait for the next change. */
function createSignal() {
  let waiting = createGate();
  return {
    next: () => waiting.opened,
    emit() {
      const woken = waiting;
      waiting = createGate();
      woken.open();
    },
  };
}
