import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Authenticator } from '../../domain/access/session.ts';
import type { HealthReport } from '../../domain/metrics/health-report.ts';
import { admit } from '../access/admission.ts';
import { HEALTH_TIMEOUT_MS } from '../limits/limits.ts';
import { methodNotAllowed, refuse, sendJson } from './respond.ts';
import type { ServerLog } from './server-log.ts';
import { shareBetweenCallers } from '../../async/share-between-callers.ts';

export interface HealthEndpointOptions {
  /** May hang or throw; the endpoint then answers 503 without it. */
  health: () => Promise<HealthReport>;
  authenticator: Authenticator;
  log: ServerLog;
  isStopping: () => boolean;
  timeoutMs?: number;
}

/** Answers one of the health paths; false for any other path. */
export type HealthEndpoint = (
  path: string,
  request: IncomingMessage,
  response: ServerResponse,
) => Promise<boolean>;

/**
 * `/health/live`: the process turns; restart it if not. `/health/ready`: send it requests; 503 with reasons if not.
 * `/health`: both, with the figures behind them. Reasons and figures are for callers that are let in; all others read the status.
 */
export function createHealthEndpoint(options: HealthEndpointOptions): HealthEndpoint {
  const check = shareBetweenCallers(() => boundedReport(options));

  return async (path, request, response) => {
    if (path !== '/health' && path !== '/health/live' && path !== '/health/ready') return false;
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      refuse(response, methodNotAllowed('GET, HEAD'));
      return true;
    }
    if (path === '/health/live') {
      sendJson(response, 200, { status: 'UP' });
      return true;
    }
    const report = await check();
    const reasons = [...(options.isStopping() ? ['The server is stopping.'] : []), ...reasonsOf(report)];
    const ready = reasons.length === 0;
    const status = ready ? 'UP' : 'DOWN';
    const isKnown = 'session' in (await admit(options.authenticator, request));
    if (path === '/health/ready')
      sendJson(response, ready ? 200 : 503, isKnown ? { status, reasons } : { status });
    else if (!isKnown)
      sendJson(response, ready ? 200 : 503, { status: report?.status ?? 'DOWN', live: true, ready });
    else
      sendJson(response, ready ? 200 : 503, {
        ...(report ?? { status: 'DOWN' }),
        live: true,
        ready,
        reasons,
      });
    return true;
  };
}

/** Why the instance should get no requests; degraded components still serve. */
function reasonsOf(report: HealthReport | null): string[] {
  if (report === null) return ['The health check did not finish; the database may be hanging.'];
  const reasons = (['database', 'scheduler'] as const)
    .filter((name) => report[name].status === 'DOWN')
    .map((name) => `${name}: ${report[name].message ?? 'down'}`);
  return reasons.length === 0 && report.status === 'DOWN'
    ? ['The instance reports itself as down.']
    : reasons;
}

/** The report, or null if it fails or takes too long. */
async function boundedReport({
  health,
  log,
  timeoutMs = HEALTH_TIMEOUT_MS,
}: HealthEndpointOptions): Promise<HealthReport | null> {
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<null>((resolve) => {
    timer = setTimeout(() => {
      log.warn('Health check took too long', { timeoutMs });
      resolve(null);
    }, timeoutMs);
  });
  const report = health().catch((error: unknown) => {
    log.error('Health check failed', { error });
    return null;
  });
  try {
    return await Promise.race([report, timeout]);
  } finally {
    clearTimeout(timer);
  }
}
