import { type IncomingMessage, STATUS_CODES } from 'node:http';
import type { Duplex } from 'node:stream';
import { CloseCode, handleProtocols } from 'graphql-ws';
import type { Server } from 'graphql-ws';
import { WebSocketServer } from 'ws';
import type { WebSocket } from 'ws';
import { CALL_OF_JOB, isCallOfJob } from '../http/calls-of-jobs.ts';
import { type HostCheck, misdirected } from '../http/host-names.ts';
import { GRAPHQL_PATH, MAX_BODY_BYTES, MAX_WEBSOCKETS } from '../limits/limits.ts';
import { noUsage, type PeerLimits } from '../limits/peer-limits.ts';
import { originRefusal, type OriginPolicy } from '../http/origins.ts';
import { watchReader } from './reader-watch.ts';
import { factsOf, requestIdOf, type RequestFacts } from '../http/request-facts.ts';
import type { RequestRefusal } from '../http/respond.ts';
import type { ServerLog } from '../http/server-log.ts';
import { closeReason } from './websocket-messages.ts';
import type { SocketFacts } from './websocket-operations.ts';

/** "Going away": clients reconnect on it. */
const GOING_AWAY_CODE = 1001;
/** "Policy violation": graphql-ws and our client give up on it. They would try again after 4403. */
const ORIGIN_REFUSED_CODE = 1008;
/** "Try again later": clients reconnect on it. */
const TOO_MANY_SOCKETS_CODE = 1013;
/** How long a refused client may take to close by itself. */
const REFUSED_GRACE_MS = 2_000;

export interface WebsocketEndpointOptions {
  operations: Server<SocketFacts>;
  origins: OriginPolicy;
  goesByItsName: HostCheck;
  peerLimits: PeerLimits;
  log: ServerLog;
  newId: () => string;
  keepAliveMs: number;
  slowReaderTimeoutMs: number;
}

/** What is known of a socket before its client says who they are. */
type SocketPeer = Omit<RequestFacts, 'viewer'>;

export interface WebsocketEndpoint {
  /** Takes over an `upgrade` of the HTTP server, or refuses it. */
  upgrade: (request: IncomingMessage, socket: Duplex, head: Buffer) => void;
  /** Tells every client that the server goes away; they close by themselves. Upgrades are refused from now on. */
  close: () => void;
  /** Resolves when all sockets are closed and their subscriptions ended. */
  ended: () => Promise<void>;
  /** Cuts the connections that are still open. */
  terminate: () => void;
}

/** The websocket side of the GraphQL endpoint: upgrades, keep-alive and the pace of each client. */
export function createWebsocketEndpoint(options: WebsocketEndpointOptions): WebsocketEndpoint {
  const { origins, goesByItsName, peerLimits, log, newId } = options;
  const server = new WebSocketServer({
    noServer: true,
    clientTracking: true,
    maxPayload: MAX_BODY_BYTES,
    handleProtocols: (protocols) => handleProtocols(protocols),
  });
  /** Sockets that are open, or whose subscriptions are not all ended. */
  let unfinished = 0;
  let tellEnded: (() => void)[] = [];
  let closing = false;

  function refusalOf(request: IncomingMessage): RequestRefusal | null {
    if (!goesByItsName(request)) return misdirected(request);
    const [path] = (request.url ?? '').split('?', 1);
    if (path !== GRAPHQL_PATH)
      return { status: 404, code: 'NOT_FOUND', message: `The API is at ${GRAPHQL_PATH}.` };
    if (isCallOfJob(request)) return CALL_OF_JOB;
    if (closing) return { status: 503, code: 'UNAVAILABLE', message: 'The server is stopping.' };
    if (server.clients.size < MAX_WEBSOCKETS) return null;
    return {
      status: 503,
      code: 'UNAVAILABLE',
      message: `At most ${MAX_WEBSOCKETS} websockets are open at once.`,
    };
  }

  /** Accepts the upgrade first where it refuses: no browser shows a page the answer to a refused upgrade. */
  function serve(websocket: WebSocket, connection: Duplex, request: IncomingMessage): void {
    const facts = factsOf(request, inOnePiece(requestIdOf(request, newId)));
    if (!origins.mayUpgrade(request)) {
      refuseSocket(websocket, ORIGIN_REFUSED_CODE, originRefusal(request));
      return;
    }
    const left = peerLimits.enterWebsocket(facts.address);
    if (typeof left === 'string') {
      log.debug('Websocket refused', { reason: left, address: facts.address });
      refuseSocket(websocket, TOO_MANY_SOCKETS_CODE, left);
      return;
    }
    unfinished += 1;
    const onEnded = () => {
      left();
      ended();
    };
    serveSocket(websocket, { connection, facts, onEnded }, options);
  }

  function ended(): void {
    unfinished -= 1;
    if (unfinished > 0) return;
    for (const tell of tellEnded) tell();
    tellEnded = [];
  }

  return {
    upgrade(request, socket, head) {
      // Until the websocket takes over, nobody else listens, and an unheard error ends the process.
      const ignore = () => undefined;
      socket.on('error', ignore);
      const refusal = refusalOf(request);
      if (refusal !== null) {
        const { host, origin } = request.headers;
        log.debug('Websocket refused', { status: refusal.status, host, origin });
        socket.end(refusedUpgrade(refusal));
        return;
      }
      server.handleUpgrade(request, socket, head, (websocket) => {
        socket.off('error', ignore);
        serve(websocket, socket, request);
      });
    },
    close() {
      closing = true;
      for (const socket of server.clients) socket.close(GOING_AWAY_CODE, 'Server is stopping');
    },
    ended: () =>
      new Promise((resolve) => {
        if (unfinished === 0) resolve();
        else tellEnded.push(resolve);
      }),
    terminate() {
      for (const socket of server.clients) socket.terminate();
    },
  };
}

/** The answer to a refused upgrade, for which Node has no response object. */
function refusedUpgrade({ status, code, message }: RequestRefusal): string {
  const body = JSON.stringify({ errors: [{ message, extensions: { code } }] });
  return [
    `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}`,
    'Connection: close',
    'Content-Type: application/json; charset=utf-8',
    `Content-Length: ${Buffer.byteLength(body)}`,
    '',
    body,
  ].join('\r\n');
}

/** Closes a socket of which nothing is read, and cuts it where its client does not close. */
function refuseSocket(socket: WebSocket, code: number, reason: string): void {
  socket.on('error', () => undefined);
  socket.close(code, closeReason(reason));
  const cut = setTimeout(() => {
    socket.terminate();
  }, REFUSED_GRACE_MS);
  socket.once('close', () => {
    clearTimeout(cut);
  });
}

/** Serves one socket; calls back when it is closed and its subscriptions are ended. */
function serveSocket(
  socket: WebSocket,
  { connection, facts, onEnded }: { connection: Duplex; facts: SocketPeer; onEnded: () => void },
  { operations, log, keepAliveMs, slowReaderTimeoutMs }: WebsocketEndpointOptions,
): void {
  const { requestId } = facts;
  const reader = watchReader(socket, connection, {
    slowReaderTimeoutMs,
    onStuck: () => {
      log.warn('Websocket client does not read and is disconnected', { requestId, slowReaderTimeoutMs });
    },
  });
  const stopPinging = keepAlive(socket, reader.ping, reader.isBehind, keepAliveMs);
  let operationCount = 0;

  const closed = operations.opened(
    {
      protocol: socket.protocol,
      send: reader.send,
      close: (code, reason) => {
        socket.close(code, reason);
      },
      onMessage: (handle) => {
        socket.on('message', (data: Buffer) => {
          handle(data.toString()).catch((error: unknown) => {
            log.error('Websocket message could not be handled', { requestId, error });
            socket.close(CloseCode.InternalServerError, 'Internal error');
          });
        });
      },
    },
    {
      turns: reader.turns,
      usage: noUsage(),
      send: reader.send,
      sendResults: reader.sendResults,
      nextOperation: (viewer) => {
        operationCount += 1;
        return { ...facts, viewer, requestId: `${requestId}.${operationCount}` };
      },
    },
  );
  log.debug('Websocket opened', { requestId, address: facts.address });

  // ws closes the socket by itself after an error, with the fitting code: too large a message, broken framing, a reset.
  socket.on('error', (error) => {
    log.debug('Websocket failed', { requestId, error });
  });
  socket.once('close', (code, reason) => {
    stopPinging();
    // First the operations: one that waits for its turn must find that it is over when the turn comes.
    const ended = closed(code, reason.toString());
    reader.dispose();
    log.debug('Websocket closed', { requestId, code, operations: operationCount });
    ended
      .catch((error: unknown) => {
        log.error('Subscriptions of a closed websocket could not be ended', { requestId, error });
      })
      .finally(onEnded);
  });
}

/** A drawn id is a rope of twenty pieces, 700 bytes, which a socket would keep for as long as it is open. */
function inOnePiece(text: string): string {
  return Buffer.from(text).toString();
}

/**
 * Pings, and cuts a connection whose peer has vanished without a word. A peer that merely reads slowly is left to the
 * reader's own limit: its ping still waits behind its messages.
 */
function keepAlive(
  socket: WebSocket,
  ping: () => void,
  isBehind: () => boolean,
  everyMs: number,
): () => void {
  let awaitingPong = false;
  socket.on('pong', () => {
    awaitingPong = false;
  });
  const timer = setInterval(() => {
    if (isBehind()) {
      awaitingPong = false;
      return;
    }
    if (awaitingPong) {
      socket.terminate();
      return;
    }
    awaitingPong = true;
    ping();
  }, everyMs);
  return () => {
    clearInterval(timer);
  };
}
