import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { PrismaPg } from '@prisma/adapter-pg';
import type { Pool } from 'pg';
import { createAlerts } from './alerts/alerts.ts';
import { deliveryLeaseMs } from './alerts/deliverer.ts';
import type { CommandDeps } from './commands/command-deps.ts';
import { createCommands } from './commands/commands.ts';
import { completeExecution } from './commands/executions/complete-execution.ts';
import { resumeEndedPauses } from './commands/jobs/resume-ended-pauses.ts';
import { createRequestTester } from './commands/jobs/test-request.ts';
import type { Config } from './config/config.ts';
import { unreachable } from './database/address.ts';
import { startEmbeddedPostgres } from './database/embedded-postgres.ts';
import type { DatabaseLog } from './database/log.ts';
import { migrate } from './database/migrate.ts';
import { packageRoot } from './database/package-root.ts';
import { createPool, surelyAnsweredMs, type PoolOptions } from './database/pool.ts';
import { sessionSettings } from './database/session.ts';
import { CALLBACK_PATH, readCallbackToken, signCallbackToken } from './domain/execution/callback-token.ts';
import { newUuidV7 } from './domain/values/uuid-v7.ts';
import { createEngine, type Engine } from './engine/engine.ts';
import { createFeeds } from './events/feeds.ts';
import { createEventHub } from './events/hub.ts';
import { createTicker } from './events/ticker.ts';
import { createWakeUps } from './events/wakeups.ts';
import { PrismaClient } from './generated/prisma/client.ts';
import { createGraphqlBase, createRequestContext } from './graphql/context.ts';
import { schema } from './graphql/schema.ts';
import { createHealthCheck } from './engine/upkeep/health-check.ts';
import { createSender } from './http/send-attempt.ts';
import { sendFilled } from './http/send-filled.ts';
import { StopSignal } from './http/stop-signal.ts';
import { createTargetGuard } from './http/target-guard.ts';
import { watchLoops } from './async/loop-watch.ts';
import { createPoller } from './events/poller.ts';
import { createLogger } from './logging/logger.ts';
import { probe } from './server/http/listen.ts';
import { readPersistedOperations } from './server/http/read-persisted-operations.ts';
import { createHttpServer } from './server/server.ts';
import { createDatabaseClock } from './store/upkeep/database-clock.ts';
import { executionIdsOfJobs } from './store/executions/executions-of-jobs.ts';
import {
  auditEntryIdsOfJobs,
  deliveryIdsOfAlerts,
  latestExecutionIds,
  jobIdsOfTags,
} from './store/statements/ids-of-owners.ts';
import { readLogPages } from './store/executions/execution-logs.ts';
import { createKeptCounts } from './store/metrics/kept-counts.ts';
import { skippedSlots } from './store/jobs/skipped-slots.ts';
import { createMetricsReader } from './store/metrics/metrics-reader.ts';
import { readPlannedSchedules } from './store/jobs/planned-schedules.ts';
import { readTagBearers, readTagsOfJobs } from './store/tags/tag-bearers.ts';
import { readSecret } from './store/upkeep/secrets.ts';
import { isOverTime } from './store/statements/slowness.ts';
import { isUnavailable } from './store/statements/unavailability.ts';

const logger = createLogger('App');

export interface App {
  /** Resolves when jobs are scheduled and the API answers. Throws, with nothing left running, where that fails. */
  start: () => Promise<{ url: string; port: number }>;
  /** Drains and stops everything, in the order in which it depends on each other. */
  stop: () => Promise<void>;
}

const DAY_MS = 24 * 3_600_000;
const HOUR_MS = 3_600_000;
/** Of a lease that one try to extend it may take. */
const LEASE_TRY_SHARE = 0.4;
/** One extends leases, one listens. */
const CONNECTIONS_BESIDE_POOLS = 2;
/** Reads wait for a lock no longer: whoever holds a whole table holds it for long. */
const READ_LOCK_TIMEOUT_MS = 5_000;

/** Makes one instance of the scheduler: the only place where parts are made and handed to each other. */
export function createApp(config: Config): App {
  /** What was started, to be stopped in the opposite order. */
  const running: { name: string; stop: () => Promise<unknown> }[] = [];
  let stopping: Promise<void> | undefined;

  async function start(): Promise<{ url: string; port: number }> {
    try {
      return await startParts();
    } catch (error) {
      await stop();
      throw error;
    }
  }

  async function startParts(): Promise<{ url: string; port: number }> {
    const version = readVersion();
    const instanceId = `${config.instanceName}-${randomBytes(4).toString('hex')}`;
    await probe(config.host, config.port);
    const { connectionString, directConnectionString } = await provideDatabase();
    const pool = openPool(connectionString);
    const readPool = openReadPool(connectionString);
    const leasePool = openLeasePool(directConnectionString);
    const clock = await createDatabaseClock(pool).catch((error: unknown) => {
      throw unreachable(connectionString, error);
    });
    const onError = (part: string) => (error: unknown) => {
      logger.warn('The database could not be reached', { part, error });
    };

    const wakeUps = createWakeUps({
      db: pool,
      instanceId,
      connectionString: directConnectionString,
      sessionSettings: sessionSettings(config.databaseQueryTimeoutMs),
      onError: onError('wake-ups'),
    });
    const hub = createEventHub({
      db: pool,
      pollIntervalMs: config.pollIntervalMs,
      isPressed: () => engine.isPressed(),
      onError: onError('event hub'),
    });
    wakeUps.on('events', hub.wake);
    const poller = createPoller({
      db: pool,
      clock,
      intervalMs: config.pollIntervalMs,
      onError: onError('poller'),
    });

    const guard = createTargetGuard({
      blockedRanges: config.blockedTargets,
      redirectRanges: config.redirectTargets,
    });
    const sender = createSender({ version, guard });
    const alerts = createAlerts({
      ...config,
      pool,
      clock,
      sender,
      wakeUps,
      poller,
      newId: newUuidV7,
      random: Math.random,
    });
    const deps: CommandDeps = {
      pool,
      clock,
      newId: newUuidV7,
      wake: wakeUps.wake,
      checkTarget: (url) => {
        const address = guard.blockedAddressIn(new URL(url));
        return address === null ? { ok: true } : { ok: false, address };
      },
      alerts: {
        isMailConfigured: config.smtpUrl !== undefined,
        leaseMs: deliveryLeaseMs(config.alertTimeoutMs),
        send: alerts.send,
      },
    };
    const persistedOperations = await readPersistedOperations(
      config.persistedOperations,
      config.persistedOperationsFile,
    );
    const callbackSecret = await readSecret(pool, 'callbacks');
    // Known for certain once the server listens; no call is made before.
    let publicUrl = config.publicUrl;
    const engine = createEngine({
      ...config,
      pool,
      leasePool,
      clock,
      sender,
      wakeUps,
      poller,
      resumePaused: () => resumeEndedPauses(deps),
      newId: newUuidV7,
      random: Math.random,
      callbackUrl: (attempt) =>
        `${publicUrl ?? ''}${CALLBACK_PATH}${signCallbackToken(attempt, callbackSecret)}`,
      instance: { instanceId, hostname: hostname(), version, startedAt: clock.now() },
      executionRetentionMs: config.executionRetentionDays * DAY_MS,
      auditRetentionMs: config.auditRetentionDays * DAY_MS,
      eventRetentionMs: config.eventRetentionHours * HOUR_MS,
    });
    const health = createHealthCheck({
      pool,
      instanceId,
      version,
      stalledLoops: () => [
        ...engine.stalledLoops(),
        ...alerts.stalledLoops(),
        ...watchLoops([poller]).stalled(),
      ],
      isStopping: () => stopping !== undefined,
    });
    const metrics = createMetricsReader(readPool, clock);
    const prisma = new PrismaClient({ adapter: new PrismaPg(readPool) });
    const base = createGraphqlBase({
      prisma,
      readsPerCaller: Math.floor(config.databaseApiPoolMax / 2),
      commands: createCommands(deps),
      testRequest: createRequestTester({
        ...deps,
        send: (request, values, timeoutMs) =>
          sendFilled(sender, request, () => values, { signal: new StopSignal(), timeoutMs }),
      }),
      events: createFeeds({ db: pool, hub }),
      clock,
      metrics,
      schedules: { plannedSchedules: (asked) => readPlannedSchedules(readPool, asked) },
      systemMetrics: createTicker({ read: metrics.system, onError: onError('system metrics') }),
      health,
      heartbeatIntervalMs: config.heartbeatIntervalMs,
      latestExecutionIds: (...asked) => latestExecutionIds(readPool, ...asked),
      executionIdsOfJobs: (...asked) => executionIdsOfJobs(readPool, ...asked),
      auditEntryIdsOfJobs: (...asked) => auditEntryIdsOfJobs(readPool, ...asked),
      tagsOfJobs: (jobIds) => readTagsOfJobs(readPool, jobIds),
      jobIdsOfTags: (...asked) => jobIdsOfTags(readPool, ...asked),
      tagBearers: (names, limit) => readTagBearers(readPool, names, limit),
      deliveryIdsOfAlerts: (...asked) => deliveryIdsOfAlerts(readPool, ...asked),
      keptCounts: createKeptCounts(readPool),
      skippedSlotsOfJobs: (jobs) => skippedSlots(readPool, jobs),
      readLogPages: (...asked) => readLogPages(readPool, ...asked),
      isOverTime,
    });
    const server = createHttpServer({
      ...config,
      persistedOperations,
      schema,
      createContext: (facts) => createRequestContext(base, facts),
      health,
      metrics: metrics.system,
      callbacks: {
        read: (token) => readCallbackToken(token, callbackSecret),
        complete: (attempt, report) => completeExecution({ ...deps, random: Math.random }, attempt, report),
      },
      isUnavailable,
      version,
      log: createLogger('Server'),
    });

    running.push(
      { name: 'wake-ups', stop: wakeUps.stop },
      {
        name: 'sender',
        stop: () => {
          sender.close();
          return Promise.resolve();
        },
      },
    );
    wakeUps.start();
    running.push({ name: 'event hub', stop: hub.stop });
    const listening = await server.start();
    publicUrl ??= listening.url;
    running.push({ name: 'server', stop: server.stop }, { name: 'alerts', stop: alerts.stop });
    alerts.start();
    await startEngine(engine);
    running.push({ name: 'poller', stop: poller.stop });
    poller.start();
    logger.info('Ready', { url: listening.url, instanceId, version });
    return listening;
  }

  /** An embedded PostgreSQL where no other is configured; migrated either way. */
  async function provideDatabase(): Promise<{ connectionString: string; directConnectionString: string }> {
    const log = createLogger('Database').info;
    let connectionString = config.databaseUrl;
    if (connectionString === undefined) {
      const { dataDir, embeddedPostgresPort } = config;
      const port = embeddedPostgresPort === undefined ? {} : { port: embeddedPostgresPort };
      const connections = config.databasePoolMax + config.databaseApiPoolMax + CONNECTIONS_BESIDE_POOLS;
      const embedded = await startEmbeddedPostgres({ dataDir, connections, log, ...port });
      running.push({ name: 'embedded PostgreSQL', stop: embedded.stop });
      connectionString = embedded.connectionString;
    }
    const directConnectionString = config.databaseDirectUrl ?? connectionString;
    await bringUpToDate(directConnectionString, log);
    return { connectionString, directConnectionString };
  }

  /** A stop meanwhile lets the migration that is under way come to its end, and begins no other. */
  async function bringUpToDate(connectionString: string, log: DatabaseLog): Promise<void> {
    const stopped = new AbortController();
    const migrating = migrate({
      connectionString,
      log,
      connectTimeoutMs: config.databaseConnectTimeoutMs,
      answerTimeoutMs: surelyAnsweredMs(config.databaseQueryTimeoutMs),
      signal: stopped.signal,
    });
    running.push({
      name: 'migrations',
      stop: async () => {
        stopped.abort();
        // What it fails with, start() fails with.
        await migrating.catch(() => undefined);
      },
    });
    await migrating;
    stopped.signal.throwIfAborted();
  }

  /** For the engine, and for all that is written. */
  function openPool(connectionString: string): Pool {
    return openPoolNamed('connection pool', { connectionString, max: config.databasePoolMax });
  }

  /** For what the API reads: a caller may ask for more than the database can answer, and the engine goes on. */
  function openReadPool(connectionString: string): Pool {
    return openPoolNamed('connection pool of the API', {
      connectionString,
      max: config.databaseApiPoolMax,
      lockTimeoutMs: Math.min(READ_LOCK_TIMEOUT_MS, config.databaseQueryTimeoutMs / 2),
      applicationName: 'job-scheduler api',
    });
  }

  /**
   * Leases are extended over a connection of their own, so that they wait behind nothing else. A try that hangs ends in
   * time for another, on another connection, before they are over.
   */
  function openLeasePool(connectionString: string): Pool {
    const tryMs = Math.floor(config.leaseMs * LEASE_TRY_SHARE);
    return openPoolNamed('connection for leases', {
      connectionString,
      max: 1,
      connectTimeoutMs: Math.min(config.databaseConnectTimeoutMs, tryMs),
      answerTimeoutMs: tryMs,
      applicationName: 'job-scheduler leases',
    });
  }

  function openPoolNamed(name: string, options: PoolOptions): Pool {
    const pool = createPool({
      idleTimeoutMs: config.databaseIdleTimeoutMs,
      connectTimeoutMs: config.databaseConnectTimeoutMs,
      statementTimeoutMs: config.databaseQueryTimeoutMs,
      log: createLogger('Database').warn,
      ...options,
    });
    running.push({ name, stop: () => pool.end() });
    return pool;
  }

  async function startEngine(engine: Engine): Promise<void> {
    // Entered first: an engine that started halfway is stopped like a whole one.
    running.push({ name: 'engine', stop: engine.stop });
    await engine.start();
  }

  function stop(): Promise<void> {
    stopping ??= stopParts();
    return stopping;
  }

  async function stopParts(): Promise<void> {
    for (const { name, stop: stopPart } of running.splice(0).reverse()) {
      await stopPart().catch((error: unknown) => {
        logger.error('A part could not be stopped cleanly', { part: name, error });
      });
    }
  }

  return { start, stop };
}

function readVersion(): string {
  const manifest: unknown = JSON.parse(readFileSync(join(packageRoot(), 'package.json'), 'utf8'));
  return (manifest as { version: string }).version;
}
