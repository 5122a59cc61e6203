import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Authenticator } from '../../domain/access/session.ts';
import type { SystemMetrics } from '../../domain/metrics/metrics.ts';
import { admit } from '../access/admission.ts';
import { METRICS_PATH } from '../limits/limits.ts';
import { prometheusText } from './prometheus.ts';
import { methodNotAllowed, refuse } from './respond.ts';
import type { ServerLog } from './server-log.ts';
import { shareBetweenCallers } from '../../async/share-between-callers.ts';

export interface MetricsEndpointOptions {
  authenticator: Authenticator;
  /** The figures of the system; throws while the database is away. */
  metrics: () => Promise<SystemMetrics>;
  version: string;
  log: ServerLog;
}

/** Answers the path of the figures; false for any other path. */
export type MetricsEndpoint = (
  path: string,
  request: IncomingMessage,
  response: ServerResponse,
) => Promise<boolean>;

/** `/metrics`: the figures of `systemMetrics` for callers that are let in, for Prometheus and what reads its format. */
export function createMetricsEndpoint(options: MetricsEndpointOptions): MetricsEndpoint {
  const { authenticator, metrics, version, log } = options;
  const read = shareBetweenCallers(metrics);

  return async (path, request, response) => {
    if (path !== METRICS_PATH) return false;
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      refuse(response, methodNotAllowed('GET, HEAD'));
      return true;
    }
    const admission = await admit(authenticator, request);
    if ('refusal' in admission) {
      refuse(response, admission.refusal);
      return true;
    }
    const figures = await read().catch((error: unknown) => {
      log.warn('Figures could not be read', { error });
      return null;
    });
    if (figures === null) {
      const message = 'The figures cannot be read at the moment; the database may be away.';
      refuse(response, { status: 503, code: 'UNAVAILABLE', message });
      return true;
    }
    const text = prometheusText(figures, version);
    response.writeHead(200, {
      'Content-Type': 'text/plain; version=0.0.4; charset=utf-8',
      'Content-Length': Buffer.byteLength(text),
      'Cache-Control': 'no-store',
    });
    response.end(text);
    return true;
  };
}
