import { randomUUID } from 'node:crypto';
import { createServer } from 'node:http';
import type { GraphQLSchema } from 'graphql';
import type { Authenticator } from '../domain/access/session.ts';
import type { SystemMetrics } from '../domain/metrics/metrics.ts';
import { createCloser } from './http/close-server.ts';
import type { CallbackReceiver } from './http/callback-endpoint.ts';
import { createErrorMask } from './http/error-mask.ts';
import type { OpenStream } from './http/event-stream.ts';
import { createGraphqlEndpoint } from './http/graphql-endpoint.ts';
import type { CreateContext } from './http/graphql-endpoint.ts';
import type { HealthReport } from '../domain/metrics/health-report.ts';
import * as limits from './limits/limits.ts';
import { createPeerLimits } from './limits/peer-limits.ts';
import { listen } from './http/listen.ts';
import type { Listening } from './http/listen.ts';
import { createHostCheck } from './http/host-names.ts';
import { createOriginPolicy } from './http/origins.ts';
import { isWebsocketUpgrade, serveWithoutUpgrade } from './http/other-upgrades.ts';
import { createPersistedOperations, type PersistedOperations } from './http/persisted-operations.ts';
import { createRequestHandler } from './http/request-handler.ts';
import type { ServerLog } from './http/server-log.ts';
import { createWebsocketEndpoint } from './websocket/websocket-endpoint.ts';
import { createOperationServer } from './websocket/websocket-operations.ts';

export interface HttpServerOptions {
  schema: GraphQLSchema;
  createContext: CreateContext;
  /** Lets callers in. */
  authenticator: Authenticator;
  host: string;
  /** 0 takes any free port. */
  port: number;
  /** Origins besides the server's own whose pages may call the API; `*` for all. */
  corsOrigins: readonly string[];
  /** Names by which clients may ask for the API, in lower case; `*` for any. */
  allowedHosts: readonly string[];
  maxWebsocketsPerAddress: number;
  maxSubscriptionsPerAddress: number;
  maxAnswerBytes?: number;
  heavyAnswerWaitMs?: number;
  graphiql: boolean;
  health: () => Promise<HealthReport>;
  /** The figures of the system; throws while the database is away. */
  metrics: () => Promise<SystemMetrics>;
  callbacks: CallbackReceiver;
  /** None where left out. */
  persistedOperations?: PersistedOperations;
  /** Whether something failed only because the database is away: the client reads that, and not of a fault. */
  isUnavailable: (error: unknown) => boolean;
  version: string;
  log: ServerLog;
  /** Draws request and error ids. */
  newId?: () => string;
  keepAliveMs?: number;
  slowReaderTimeoutMs?: number;
  stopTimeoutMs?: number;
  healthTimeoutMs?: number;
}

export interface HttpServer {
  /** @throws Error in words for the operator, where the port or the host cannot be had */
  start: () => Promise<Listening>;
  /**
   * Stops accepting, tells websocket clients that the server goes away (1001), ends event streams, lets running
   * requests finish, and resolves when the last connection is closed. What is still open after `stopTimeoutMs` is cut.
   */
  stop: () => Promise<void>;
}

/** The server that clients talk to: GraphQL over HTTP, server-sent events and websockets, GraphiQL, and health. */
export function createHttpServer(options: HttpServerOptions): HttpServer {
  const { log, newId = randomUUID, stopTimeoutMs = limits.STOP_TIMEOUT_MS } = options;
  const slowReaderTimeoutMs = options.slowReaderTimeoutMs ?? limits.SLOW_READER_TIMEOUT_MS;
  const persistedOperations = options.persistedOperations ?? createPersistedOperations('off', new Map());
  const origins = createOriginPolicy(options.corsOrigins, log);
  const goesByItsName = createHostCheck(options.allowedHosts);
  const maskError = createErrorMask({
    log,
    newId,
    isUnavailable: options.isUnavailable,
    schema: options.schema,
  });
  const peerLimits = createPeerLimits(options);
  const endpoint = createGraphqlEndpoint({
    schema: options.schema,
    createContext: options.createContext,
    maskError,
    persistedOperations,
    peerLimits,
    maxAnswerBytes: options.maxAnswerBytes,
    heavyAnswerWaitMs: options.heavyAnswerWaitMs,
  });
  const openStreams = new Set<OpenStream>();
  let stopping: Promise<void> | undefined;

  const http = createServer({
    headersTimeout: limits.HEADERS_TIMEOUT_MS,
    requestTimeout: limits.REQUEST_TIMEOUT_MS,
    keepAliveTimeout: limits.IDLE_CONNECTION_TIMEOUT_MS,
  });
  const websockets = createWebsocketEndpoint({
    operations: createOperationServer({
      endpoint,
      authenticator: options.authenticator,
      maskError,
      persistedOperations,
    }),
    origins,
    goesByItsName,
    peerLimits,
    log,
    newId,
    keepAliveMs: options.keepAliveMs ?? limits.KEEP_ALIVE_MS,
    slowReaderTimeoutMs,
  });
  const close = createCloser(http, stopTimeoutMs);
  const isStopping = () => stopping !== undefined;

  http.on('upgrade', (request, socket, head) => {
    if (isWebsocketUpgrade(request)) websockets.upgrade(request, socket, head);
    else serveWithoutUpgrade(http, request, socket, head);
  });
  http.on(
    'request',
    createRequestHandler({
      ...options,
      newId,
      endpoint,
      origins,
      goesByItsName,
      maskError,
      isStopping,
      openStreams,
      slowReaderTimeoutMs,
    }),
  );

  return {
    start: () => listen(http, options.host, options.port),
    stop: () =>
      (stopping ??= close({
        end: () => {
          websockets.close();
          for (const stream of openStreams) stream.end();
        },
        ended: websockets.ended,
        cut: () => {
          log.warn('Connections did not end in time and are cut', { stopTimeoutMs });
          websockets.terminate();
        },
      })),
  };
}
