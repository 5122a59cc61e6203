import { onTestFinished } from 'vitest';
import { OPEN_ACCESS } from '../../src/access/open-access.ts';
import type { SystemMetrics } from '../../src/domain/metrics/metrics.ts';
import type { HealthReport } from '../../src/domain/metrics/health-report.ts';
import { createHttpServer } from '../../src/server/server.ts';
import type { HttpServer, HttpServerOptions } from '../../src/server/server.ts';
import { isUnavailable } from '../../src/store/statements/unavailability.ts';
import { smallSchema } from './small-schema.ts';
import type { SmallSchema } from './small-schema.ts';

export type LoggedLine = { level: string; message: string; fields: Record<string, unknown> };

export type TestServer = SmallSchema & {
  url: string;
  port: number;
  server: HttpServer;
  log: LoggedLine[];
  logged: (message: string) => LoggedLine[];
};

export const HEALTHY: HealthReport = {
  status: 'UP',
  version: '1.2.3',
  uptimeSeconds: 5,
  database: { status: 'UP', latencyMs: 1, message: null },
  scheduler: { status: 'UP', message: null },
};

const ENDS = { success: 90, failed: 10, cancelled: 2, skipped: 3, retries: 4, durationSumMs: 12_500 };

export const FIGURES: SystemMetrics = {
  jobs: { total: 6, active: 3, paused: 1 },
  allTime: ENDS,
  lastDay: ENDS,
  executionTimeMs: { p50: 100, p95: 200, p99: 300, max: 400 },
  latenessMs: null,
  load: { pending: 5, running: 6, retrying: 7, blocked: 8 },
  openDeadLetters: 9,
};

/** Starts the server over the small schema on a free port; stopped when the test ends. */
export async function startTestServer(options: Partial<HttpServerOptions> = {}): Promise<TestServer> {
  const small = smallSchema();
  const log: LoggedLine[] = [];
  const server = createHttpServer(serverOptions(small, log, options));
  const { url, port } = await server.start();
  onTestFinished(() => server.stop());
  return {
    ...small,
    url,
    port,
    server,
    log,
    logged: (message) => log.filter((line) => line.message === message),
  };
}

/** The options of a test's server, for tests that start it themselves. */
export function serverOptions(
  { schema }: SmallSchema,
  log: LoggedLine[],
  options: Partial<HttpServerOptions> = {},
): HttpServerOptions {
  const write =
    (level: string) =>
    (message: string, fields: Record<string, unknown> = {}): void => {
      log.push({ level, message, fields });
    };
  return {
    schema,
    createContext: (facts) => ({ ...facts }),
    authenticator: OPEN_ACCESS,
    host: '127.0.0.1',
    port: 0,
    corsOrigins: [],
    allowedHosts: [],
    maxWebsocketsPerAddress: 1_000,
    maxSubscriptionsPerAddress: 1_000,
    graphiql: true,
    health: () => Promise.resolve(HEALTHY),
    metrics: () => Promise.resolve(FIGURES),
    callbacks: { read: () => null, complete: () => Promise.resolve('late') },
    isUnavailable,
    version: '1.2.3',
    log: { debug: write('debug'), info: write('info'), warn: write('warn'), error: write('error') },
    // Short, since a test that stops its server has nothing left that would be worth waiting for.
    stopTimeoutMs: 1_000,
    ...options,
  };
}
