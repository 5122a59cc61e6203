import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Authenticator } from '../../domain/access/session.ts';
import { CALLBACK_PATH } from '../../domain/execution/callback-token.ts';
import type { SystemMetrics } from '../../domain/metrics/metrics.ts';
import { admit } from '../access/admission.ts';
import { CALL_OF_JOB, isCallOfJob } from './calls-of-jobs.ts';
import { createCallbackEndpoint, withoutToken, type CallbackReceiver } from './callback-endpoint.ts';
import type { ErrorMask } from './error-mask.ts';
import type { OpenStream } from './event-stream.ts';
import { createGraphiqlPage, wantsGraphiql } from '../pages/graphiql.ts';
import type { GraphqlEndpoint } from './graphql-endpoint.ts';
import { answerGraphql } from './graphql-http.ts';
import { createHealthEndpoint } from './health.ts';
import { misdirected, type HostCheck } from './host-names.ts';
import type { HealthReport } from '../../domain/metrics/health-report.ts';
import { GRAPHQL_PATH, METRICS_PATH } from '../limits/limits.ts';
import { createMetricsEndpoint } from './metrics-endpoint.ts';
import type { OriginPolicy } from './origins.ts';
import { headersOf, statusOf } from './refusal-status.ts';
import { requestIdOf } from './request-facts.ts';
import { methodNotAllowed, refuse, type RequestRefusal, sendJson } from './respond.ts';
import type { ServerLog } from './server-log.ts';

export interface RequestHandlerOptions {
  endpoint: GraphqlEndpoint;
  authenticator: Authenticator;
  origins: OriginPolicy;
  goesByItsName: HostCheck;
  maskError: ErrorMask;
  health: () => Promise<HealthReport>;
  metrics: () => Promise<SystemMetrics>;
  callbacks: CallbackReceiver;
  healthTimeoutMs?: number;
  graphiql: boolean;
  version: string;
  log: ServerLog;
  newId: () => string;
  isStopping: () => boolean;
  openStreams: Set<OpenStream>;
  slowReaderTimeoutMs: number;
}

type Handler = (request: IncomingMessage, response: ServerResponse) => void;

/** Routes every HTTP request, gives it its id, writes its line in the log, and answers what nobody else did. */
export function createRequestHandler(options: RequestHandlerOptions): Handler {
  const { log, newId, isStopping, maskError } = options;
  const route = createRoutes(options);

  return (request, response) => {
    const requestId = requestIdOf(request, newId);
    const url = parseTarget(request);
    response.setHeader('X-Request-Id', requestId);
    response.setHeader('X-Content-Type-Options', 'nosniff');
    if (isStopping()) response.setHeader('Connection', 'close');
    logWhenDone(request, response, { log, requestId, path: withoutToken(url?.pathname) });

    if (url === null) {
      refuse(response, { status: 400, code: 'BAD_REQUEST', message: 'The request target is not a path.' });
      return;
    }
    route(request, response, { url, requestId }).catch((error: unknown) => {
      // A client that left in the middle of its body is no fault, and hears nothing.
      if (request.destroyed && !request.complete) return;
      const { message, extensions } = maskError(error);
      if (response.headersSent) response.destroy();
      else
        sendJson(
          response,
          statusOf(extensions['code']),
          { errors: [{ message, extensions: { code: extensions['code'], errorId: extensions['errorId'] } }] },
          headersOf(extensions['code']),
        );
    });
  };
}

type Route = (
  request: IncomingMessage,
  response: ServerResponse,
  target: { url: URL; requestId: string },
) => Promise<void>;

/**
 * Who calls the server by a foreign name is refused on every path but that of callbacks: a page has no token to end an
 * attempt with, and a target calls back by the name that it was given, which may be a former one.
 */
function createRoutes(options: RequestHandlerOptions): Route {
  const { goesByItsName } = options;
  const answerApi = createApiRoute(options);
  const answerHealth = createHealthEndpoint({
    health: options.health,
    authenticator: options.authenticator,
    log: options.log,
    isStopping: options.isStopping,
    ...(options.healthTimeoutMs !== undefined && { timeoutMs: options.healthTimeoutMs }),
  });
  const answerMetrics = createMetricsEndpoint(options);
  const answerCallback = createCallbackEndpoint(options.callbacks);

  return async (request, response, target) => {
    const path = target.url.pathname;
    if (!path.startsWith(CALLBACK_PATH) && !goesByItsName(request)) {
      refuse(response, misdirected(request));
    } else if (path === GRAPHQL_PATH || path === `${GRAPHQL_PATH}/`) {
      await answerApi(request, response, target);
    } else {
      const isAnswered =
        (await answerHealth(path, request, response)) ||
        (await answerMetrics(path, request, response)) ||
        (await answerCallback(path, request, response));
      if (!isAnswered) answerOtherPath(path, request, response, options);
    }
  };
}

/** GraphQL, and GraphiQL for a browser. */
function createApiRoute(options: RequestHandlerOptions): Route {
  const { authenticator, origins, graphiql, version } = options;
  const sendGraphiql = graphiql ? createGraphiqlPage(version) : null;

  return async (request, response, target) => {
    if (isCallOfJob(request)) {
      refuse(response, CALL_OF_JOB);
    } else if (origins.applyCors(request, response)) {
      return;
    } else if (request.method !== 'GET' && request.method !== 'POST') {
      refuse(response, methodNotAllowed('GET, POST, OPTIONS'));
    } else if (sendGraphiql && wantsGraphiql(request)) {
      await sendGraphiql(request, response);
    } else if (isSentByOtherSite(request) && !response.hasHeader('Access-Control-Allow-Origin')) {
      refuse(response, SENT_BY_OTHER_SITE);
    } else {
      const admission = await admit(authenticator, request);
      if ('refusal' in admission) refuse(response, admission.refusal);
      else await answerGraphql(request, response, options, { ...target, session: admission.session });
    }
  };
}

/** `/` says what the server is, and leads a browser to GraphiQL; nothing else is here. */
function answerOtherPath(
  path: string,
  request: IncomingMessage,
  response: ServerResponse,
  { graphiql, version }: Pick<RequestHandlerOptions, 'graphiql' | 'version'>,
): void {
  if (path !== '/') {
    refuse(response, {
      status: 404,
      code: 'NOT_FOUND',
      message: `Nothing is here; the API is at ${GRAPHQL_PATH}.`,
    });
  } else if (request.method !== 'GET' && request.method !== 'HEAD') {
    refuse(response, methodNotAllowed('GET, HEAD'));
  } else if (graphiql && request.headers.accept?.includes('text/html')) {
    response.writeHead(302, { Location: GRAPHQL_PATH }).end();
  } else {
    sendJson(response, 200, {
      name: 'job-scheduler',
      version,
      graphql: GRAPHQL_PATH,
      health: '/health',
      metrics: METRICS_PATH,
    });
  }
}

/** Whether a browser says that a page of another site has it ask. Any page can do so by GET, with an image for example. */
function isSentByOtherSite({ method, headers }: IncomingMessage): boolean {
  return method === 'GET' && headers['sec-fetch-site'] === 'cross-site';
}

const SENT_BY_OTHER_SITE: RequestRefusal = {
  status: 403,
  code: 'ORIGIN_NOT_ALLOWED',
  message: 'A page of another site asks by GET: the operator lists allowed origins in CORS_ORIGINS.',
};

const GRAPHQL_URL = new URL(GRAPHQL_PATH, 'http://localhost');

/** Null for what is no path, such as the `*` of `OPTIONS *`. */
function parseTarget(request: IncomingMessage): URL | null {
  const target = request.url ?? '';
  if (target === GRAPHQL_PATH) return GRAPHQL_URL;
  return target.startsWith('/') && URL.canParse(target, 'http://localhost')
    ? new URL(target, 'http://localhost')
    : null;
}

function logWhenDone(
  request: IncomingMessage,
  response: ServerResponse,
  { log, requestId, path }: { log: ServerLog; requestId: string; path: string | undefined },
): void {
  const startedAtMs = performance.now();
  response.once('close', () => {
    log.debug('Request answered', {
      requestId,
      method: request.method,
      path,
      status: response.statusCode,
      durationMs: Math.round(performance.now() - startedAtMs),
      // A stream that its reader ended, or a client that left before its answer.
      clientLeft: !response.writableFinished,
    });
  });
}
