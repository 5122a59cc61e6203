import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { CloseCode, handleProtocols } from 'graphql-ws';
import type { Server } from 'graphql-ws';
import { WebSocketServer } from 'ws';
import type { WebSocket } from 'ws';
import { GRAPHQL_PATH, MAX_BODY_BYTES, MAX_WEBSOCKETS } from './limits.ts';
import type { OriginPolicy } from './origins.ts';
import { watchReader } from './reader-watch.ts';
import { factsOf, requestIdOf } from './request-facts.ts';
import type { ServerLog } from './server-log.ts';
import type { SocketFacts } from './websocket-operations.ts';

/** "Going away": clients reconnect on it. */
const GOING_AWAY_CODE = 1001;

export interface WebsocketEndpointOptions {
  operations: Server<SocketFacts>;
  origins: OriginPolicy;
  log: ServerLog;
  newId: () => string;
  keepAliveMs: number;
  slowReaderTimeoutMs: number;
}

export interface WebsocketEndpoint {
  /** Takes over an `upgrade` of the HTTP server, or refuses it. */
  upgrade: (request: IncomingMessage, socket: Duplex, head: Buffer) => void;
  /** Tells every client that the server goes away; they close by themselves. Upgrades are refused from now on. */
  close: () => void;
  /** Resolves when the subscriptions of all sockets that have closed are ended. */
  ended: () => Promise<void>;
  /** Cuts the connections that are still open. */
  terminate: () => void;
}

/** The websocket side of the GraphQL endpoint: upgrades, keep-alive and the pace of each client. */
export function createWebsocketEndpoint(options: WebsocketEndpointOptions): WebsocketEndpoint {
  const { origins, log, newId } = options;
  const server = new WebSocketServer({
    noServer: true,
    clientTracking: true,
    maxPayload: MAX_BODY_BYTES,
    handleProtocols: (protocols) => handleProtocols(protocols),
  });
  const endings = new Set<Promise<void>>();
  let closing = false;

  function refusalOf(request: IncomingMessage): string | null {
    const [path] = (request.url ?? '').split('?', 1);
    if (path !== GRAPHQL_PATH) return '404 Not Found';
    if (!origins.mayUpgrade(request)) return '403 Forbidden';
    if (closing || server.clients.size >= MAX_WEBSOCKETS) return '503 Service Unavailable';
    return null;
  }

  return {
    upgrade(request, socket, head) {
      // Until the websocket takes over, nobody else listens, and an unheard error ends the process.
      const ignore = () => undefined;
      socket.on('error', ignore);
      const refusal = refusalOf(request);
      if (refusal !== null) {
        log.debug('Websocket refused', { status: refusal, origin: request.headers.origin });
        socket.end(`HTTP/1.1 ${refusal}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
        return;
      }
      server.handleUpgrade(request, socket, head, (websocket) => {
        socket.off('error', ignore);
        const ending = serveSocket(
          websocket,
          { request, connection: socket, requestId: requestIdOf(request, newId) },
          options,
        ).finally(() => endings.delete(ending));
        endings.add(ending);
      });
    },
    close() {
      closing = true;
      for (const socket of server.clients) socket.close(GOING_AWAY_CODE, 'Server is stopping');
    },
    ended: async () => {
      await Promise.all(endings);
    },
    terminate() {
      for (const socket of server.clients) socket.terminate();
    },
  };
}

/** Serves one socket; resolves when it is closed and its subscriptions are ended. Never rejects. */
async function serveSocket(
  socket: WebSocket,
  { request, connection, requestId }: { request: IncomingMessage; connection: Duplex; requestId: string },
  { operations, log, keepAliveMs, slowReaderTimeoutMs }: WebsocketEndpointOptions,
): Promise<void> {
  const reader = watchReader(socket, connection, {
    slowReaderTimeoutMs,
    onStuck: () => {
      log.warn('Websocket client does not read and is disconnected', { requestId, slowReaderTimeoutMs });
    },
  });
  const stopPinging = keepAlive(socket, reader.ping, reader.isBehind, keepAliveMs);
  const facts = factsOf(request, requestId);
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
      inTurn: reader.inTurn,
      sendFrames: reader.sendFrames,
      nextOperation: () => {
        operationCount += 1;
        return { ...facts, requestId: `${requestId}.${operationCount}` };
      },
    },
  );
  log.debug('Websocket opened', { requestId, address: facts.address });

  // ws closes the socket by itself after an error, with the fitting code: too large a message, broken framing, a reset.
  socket.on('error', (error) => {
    log.debug('Websocket failed', { requestId, error });
  });
  const [code, reason] = await closeOf(socket);
  stopPinging();
  // First the operations: one that waits for its turn must find that it is over when the turn comes.
  const ended = closed(code, reason);
  reader.dispose();
  log.debug('Websocket closed', { requestId, code, operations: operationCount });
  try {
    await ended;
  } catch (error) {
    log.error('Subscriptions of a closed websocket could not be ended', { requestId, error });
  }
}

function closeOf(socket: WebSocket): Promise<[code: number, reason: string]> {
  return new Promise((resolve) => {
    socket.once('close', (code, reason) => {
      resolve([code, reason.toString()]);
    });
  });
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
