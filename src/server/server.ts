import { randomUUID } from 'node:crypto';
import { createServer } from 'node:http';
import type { GraphQLSchema } from 'graphql';
import type { SystemMetrics } from '../domain/metrics.ts';
import { createCloser } from './close-server.ts';
import type { CallbackReceiver } from './callback-endpoint.ts';
import { createErrorMask } from './error-mask.ts';
import type { OpenStream } from './event-stream.ts';
import { createGraphqlEndpoint } from './graphql-endpoint.ts';
import type { CreateContext } from './graphql-endpoint.ts';
import type { HealthReport } from '../graphql/context.ts';
import * as limits from './limits.ts';
import { listen } from './listen.ts';
import type { Listening } from './listen.ts';
import { createHostCheck } from './host-names.ts';
import { createOriginPolicy } from './origins.ts';
import { isWebsocketUpgrade, serveWithoutUpgrade } from './other-upgrades.ts';
import { createPersistedOperations, type PersistedOperations } from './persisted-operations.ts';
import { createRequestHandler } from './request-handler.ts';
import type { ServerLog } from './server-log.ts';
import { createWebsocketEndpoint } from './websocket-endpoint.ts';
import { createOperationServer } from './websocket-operations.ts';

export interface HttpServerOptions {
  schema: GraphQLSchema;
  createContext: CreateContext;
  host: string;
  /** 0 takes any free port. */
  port: number;
  /** Origins besides the server's own whose pages may call the API; `*` for all. */
  corsOrigins: readonly string[];
  /** Names by which clients may ask for the API, in lower case; `*` for any. */
  allowedHosts: readonly string[];
  graphiql: boolean;
  health: () => Promise<HealthReport>;
  /** The figures of the system; throws while the database is away. */
  metrics: () => Promise<SystemMetrics>;
  callbacks: CallbackReceiver;
  /** None where left out. */
  persistedOperations?: PersistedOperations;
  /** Whether something failed only because the database is away: it is then told so, instead of as a fault. */
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
  const origins = createOriginPolicy(options.corsOrigins);
  const goesByItsName = createHostCheck(options.allowedHosts);
  const maskError = createErrorMask({
    log,
    newId,
    isUnavailable: options.isUnavailable,
    schema: options.schema,
  });
  const endpoint = createGraphqlEndpoint({
    schema: options.schema,
    createContext: options.createContext,
    maskError,
    persistedOperations,
  });
  const openStreams = new Set<OpenStream>();
  let stopping: Promise<void> | undefined;

  const http = createServer({
    headersTimeout: limits.HEADERS_TIMEOUT_MS,
    requestTimeout: limits.REQUEST_TIMEOUT_MS,
    keepAliveTimeout: limits.IDLE_CONNECTION_TIMEOUT_MS,
  });
  const websockets = createWebsocketEndpoint({
    operations: createOperationServer({ endpoint, maskError, persistedOperations }),
    origins,
    goesByItsName,
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
