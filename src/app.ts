import { randomBytes } from 'node:crypto';
import { hostname } from 'node:os';
import { PrismaPg } from '@prisma/adapter-pg';
import { provideFirstKey } from './access/first-key.ts';
import { createKeyAccess, type KeyAccess } from './access/key-access.ts';
import { OPEN_ACCESS } from './access/open-access.ts';
import { createAlerts, type Alerts } from './alerts/alerts.ts';
import { deliveryLeaseMs } from './alerts/deliverer.ts';
import { watchLoops } from './async/loop-watch.ts';
import { createStartedParts, type StartedParts } from './async/started-parts.ts';
import type { CommandDeps } from './commands/command-deps.ts';
import { createCommands } from './commands/commands.ts';
import { completeExecution } from './commands/executions/complete-execution.ts';
import { resumeEndedPauses } from './commands/jobs/resume-ended-pauses.ts';
import { createRequestTester } from './commands/jobs/test-request.ts';
import type { Config } from './config/config.ts';
import { unreachable } from './database/address.ts';
import { packageVersion } from './database/package-root.ts';
import { connectionsOf, openPools, type Pools } from './database/pools.ts';
import { provideDatabase, type DatabaseAddress } from './database/provide-database.ts';
import { refuseReadOnly } from './database/read-only.ts';
import { sessionSettings } from './database/session.ts';
import type { Authenticator } from './domain/access/session.ts';
import { CALLBACK_PATH, readCallbackToken, signCallbackToken } from './domain/execution/callback-token.ts';
import type { HealthReport } from './domain/metrics/health-report.ts';
import { newUuidV7 } from './domain/values/uuid-v7.ts';
import { createEngine, type Engine } from './engine/engine.ts';
import { createHealthCheck } from './engine/upkeep/health-check.ts';
import { createFeeds } from './events/feeds.ts';
import { createEventHub, type EventHub } from './events/hub.ts';
import { createPoller, type Poller } from './events/poller.ts';
import { createTicker } from './events/ticker.ts';
import { createWakeUps, type WakeUps } from './events/wakeups.ts';
import { PrismaClient } from './generated/prisma/client.ts';
import { createGraphqlBase, createRequestContext } from './graphql/context.ts';
import { schema } from './graphql/schema.ts';
import { createSender, type Sender } from './http/send-attempt.ts';
import { sendFilled } from './http/send-filled.ts';
import { StopSignal } from './http/stop-signal.ts';
import { createTargetGuard, type TargetGuard } from './http/target-guard.ts';
import { createLogger } from './logging/logger.ts';
import { probe, type Listening } from './server/http/listen.ts';
import { readPersistedOperations } from './server/http/read-persisted-operations.ts';
import { createHttpServer, type HttpServer } from './server/server.ts';
import { createApiReads } from './store/api-reads.ts';
import { isUnavailable } from './store/statements/unavailability.ts';
import { createDatabaseClock, type DatabaseClock } from './store/upkeep/database-clock.ts';
import { readSecret } from './store/upkeep/secrets.ts';

const logger = createLogger('App');

export interface App {
  /** Resolves when jobs are scheduled and the API answers. Throws, with nothing left running, where that fails. */
  start: () => Promise<{ url: string; port: number }>;
  /** Drains and stops everything, in the order in which it depends on each other. */
  stop: () => Promise<void>;
}

const DAY_MS = 24 * 3_600_000;
const HOUR_MS = 3_600_000;

/** Where ids and waits come from. */
const RANDOM = { newId: newUuidV7, random: Math.random };

/** Makes one instance of the scheduler: this file alone makes its parts and hands them to each other. */
export function createApp(config: Config): App {
  const running = createStartedParts((part, error) => {
    logger.error('A part could not be stopped cleanly', { part, error });
  });
  let stopping: Promise<void> | undefined;
  const stop = () => (stopping ??= running.stop());

  return {
    async start() {
      try {
        return await startApp(config, running, () => stopping !== undefined);
      } catch (error) {
        await stop();
        throw error;
      }
    },
    stop,
  };
}

async function startApp(
  config: Config,
  running: StartedParts,
  isStopping: () => boolean,
): Promise<Listening> {
  const version = packageVersion();
  const instanceId = `${config.instanceName}-${randomBytes(4).toString('hex')}`;
  await probe(config.host, config.port);

  const base = { config, version, instanceId, ...(await openDatabase(config, running)) };
  const callbacks = { secret: await readSecret(base.pool, 'callbacks'), publicUrl: config.publicUrl };
  const events = makeEvents(base, () => engine.isPressed());
  const guard = createTargetGuard({
    blockedRanges: config.blockedTargets,
    redirectRanges: config.redirectTargets,
  });
  const calls = { guard, sender: createSender({ version, guard }) };
  const alerts = createAlerts({ ...config, ...base, ...events, ...calls, ...RANDOM });
  const deps = makeCommandDeps(base, { ...events, ...calls, alerts });
  const engine = makeEngine(base, { ...events, ...calls, deps, callbacks });
  const keys = config.authMode === 'keys' ? await openKeys(base, deps, events) : null;
  const pollerWatch = watchLoops([events.poller]);
  const health = createHealthCheck({
    ...base,
    stalledLoops: () => [...engine.stalledLoops(), ...alerts.stalledLoops(), ...pollerWatch.stalled()],
    isStopping,
  });
  const authenticator = keys ?? OPEN_ACCESS;
  const server = await makeServer(base, { ...events, ...calls, deps, callbacks, authenticator, health });

  const listening = await startInOrder(running, {
    ...events,
    ...calls,
    alerts,
    engine,
    keys,
    server,
    // Known for certain once the server listens; no call is made before.
    onListening: ({ url }) => (callbacks.publicUrl ??= url),
  });
  logger.info('Ready', { url: listening.url, instanceId, version });
  return listening;
}

interface PartsToStart extends Events, Calls {
  alerts: Alerts;
  engine: Engine;
  /** Null where callers need no key. */
  keys: KeyAccess | null;
  server: HttpServer;
  onListening: (listening: Listening) => void;
}

/** Top to bottom; a stop goes from bottom to top, and then on to the connections and the database. */
async function startInOrder(running: StartedParts, parts: PartsToStart): Promise<Listening> {
  const { wakeUps, sender, hub, keys, server, alerts, engine, poller } = parts;
  running.add('wake-ups', wakeUps.stop);
  running.add('sender', () => {
    sender.close();
    return Promise.resolve();
  });
  wakeUps.start();
  running.add('event hub', hub.stop);
  if (keys) {
    running.add('API keys', keys.stop);
    keys.start();
  }
  const listening = await server.start();
  parts.onListening(listening);
  running.add('server', server.stop);
  running.add('alerts', alerts.stop);
  alerts.start();
  // Added first: an engine that started halfway is stopped like a whole one.
  running.add('engine', engine.stop);
  await engine.start();
  running.add('poller', poller.stop);
  poller.start();
  return listening;
}

/** What every part is made from. */
interface Base extends DatabaseAddress, Pools {
  config: Config;
  version: string;
  instanceId: string;
  clock: DatabaseClock;
}

async function openDatabase(config: Config, { add: onStarted }: StartedParts) {
  const { info, warn } = createLogger('Database');
  const connections = connectionsOf(config);
  const address = await provideDatabase({ ...config, connections, log: info, onStarted });
  const pools = openPools({ ...config, ...address, log: warn, onStarted });
  const clock = await createDatabaseClock(pools.pool).catch((error: unknown) => {
    throw unreachable(address.connectionString, error);
  });
  await refuseReadOnly(pools.pool, address.connectionString);
  return { ...address, ...pools, clock };
}

interface Events {
  wakeUps: WakeUps;
  hub: EventHub;
  poller: Poller;
}

/** What tells the other parts, and the subscribers, that something has happened. */
function makeEvents(base: Base, isPressed: () => boolean): Events {
  const { config, pool, clock, instanceId } = base;
  const wakeUps = createWakeUps({
    db: pool,
    instanceId,
    connectionString: base.directConnectionString,
    sessionSettings: sessionSettings(config.databaseQueryTimeoutMs),
    onError: warnOf('wake-ups'),
  });
  const hub = createEventHub({
    db: pool,
    pollIntervalMs: config.pollIntervalMs,
    isPressed,
    onError: warnOf('event hub'),
  });
  wakeUps.on('events', hub.wake);
  const poller = createPoller({
    db: pool,
    clock,
    intervalMs: config.pollIntervalMs,
    onError: warnOf('poller'),
  });
  return { wakeUps, hub, poller };
}

const warnOf = (part: string) => (error: unknown) => {
  logger.warn('The database could not be reached', { part, error });
};

interface Calls {
  guard: TargetGuard;
  sender: Sender;
}

function makeCommandDeps(
  { config, pool, clock }: Base,
  { wakeUps, guard, alerts }: Events & Calls & { alerts: Alerts },
): CommandDeps {
  return {
    pool,
    clock,
    newId: newUuidV7,
    randomBytes,
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
}

interface Commanding extends Events, Calls {
  deps: CommandDeps;
  callbacks: { secret: string; publicUrl: string | undefined };
}

function makeEngine(base: Base, parts: Commanding): Engine {
  const { config, version, instanceId, clock } = base;
  const { deps, callbacks } = parts;
  return createEngine({
    ...config,
    ...base,
    ...parts,
    ...RANDOM,
    resumePaused: () => resumeEndedPauses(deps),
    callbackUrl: (attempt) =>
      `${callbacks.publicUrl ?? ''}${CALLBACK_PATH}${signCallbackToken(attempt, callbacks.secret)}`,
    instance: { instanceId, hostname: hostname(), version, startedAt: clock.now() },
    executionRetentionMs: config.executionRetentionDays * DAY_MS,
    auditRetentionMs: config.auditRetentionDays * DAY_MS,
    eventRetentionMs: config.eventRetentionHours * HOUR_MS,
  });
}

/** Lets in who has an API key, and sees to it that there is one. */
async function openKeys(
  { pool, clock, config }: Base,
  deps: CommandDeps,
  { wakeUps }: Events,
): Promise<KeyAccess> {
  const { dataDir, bootstrapAdminKey: bootstrapKey } = config;
  const first = await provideFirstKey({ deps, dataDir, bootstrapKey });
  if (first.kind === 'written') {
    logger.info('The first API key, with the role ADMIN, is in a file', { file: first.file });
  } else if (first.kind === 'given') {
    logger.info('The first API key, with the role ADMIN, is that of BOOTSTRAP_ADMIN_KEY');
  }
  const keys = createKeyAccess({ db: pool, clock, onError: warnOf('API keys') });
  await keys.runOnce();
  wakeUps.on('keys', keys.wake);
  return keys;
}

/** The API: what it reads, what it commands, and the server around it. */
async function makeServer(
  base: Base,
  parts: Commanding & { authenticator: Authenticator; health: () => Promise<HealthReport> },
): Promise<HttpServer> {
  const { config, version, pool, readPool, clock } = base;
  const { hub, sender, deps, callbacks, authenticator, health } = parts;
  const persistedOperations = await readPersistedOperations(
    config.persistedOperations,
    config.persistedOperationsFile,
  );
  const reads = createApiReads(readPool, clock);
  const graphql = createGraphqlBase({
    ...reads,
    prisma: new PrismaClient({ adapter: new PrismaPg(readPool) }),
    readsPerCaller: Math.floor(config.databaseApiPoolMax / 2),
    commands: createCommands(deps),
    testRequest: createRequestTester({
      ...deps,
      send: (request, values, timeoutMs) =>
        sendFilled(sender, request, () => values, { signal: new StopSignal(), timeoutMs }),
    }),
    events: createFeeds({ db: pool, hub }),
    clock,
    systemMetrics: createTicker({ read: reads.metrics.system, onError: warnOf('system metrics') }),
    health,
    heartbeatIntervalMs: config.heartbeatIntervalMs,
  });
  return createHttpServer({
    ...config,
    persistedOperations,
    schema,
    createContext: (facts) => createRequestContext(graphql, facts),
    authenticator,
    health,
    metrics: reads.metrics.system,
    callbacks: {
      read: (token) => readCallbackToken(token, callbacks.secret),
      complete: (attempt, report) => completeExecution({ ...deps, random: Math.random }, attempt, report),
    },
    isUnavailable,
    version,
    log: createLogger('Server'),
  });
}
