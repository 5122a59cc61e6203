import { randomBytes } from 'node:crypto';
import { randomUUID } from 'node:crypto';
import type { Pool } from 'pg';
import { createAlertReader, type AlertReader } from '../../src/alerts/alert-reader.ts';
import { createDeliverer, deliveryLeaseMs, type Deliverer } from '../../src/alerts/deliverer.ts';
import { createMailer } from '../../src/alerts/mailer.ts';
import type { Caller, CommandDeps } from '../../src/commands/command-deps.ts';
import type { CommandResult } from '../../src/commands/command-result.ts';
import { createCommands, type Commands } from '../../src/commands/commands.ts';
import type { CreateJobInput } from '../../src/commands/jobs/create-job.ts';
import { resumeEndedPauses } from '../../src/commands/jobs/resume-ended-pauses.ts';
import { createPool } from '../../src/database/pool.ts';
import {
  CALLBACK_PATH,
  signCallbackToken,
  type CallbackClaim,
} from '../../src/domain/execution/callback-token.ts';
import { encodePublicId } from '../../src/domain/values/public-id.ts';
import { newUuidV7 } from '../../src/domain/values/uuid-v7.ts';
import { createCallbackWatch } from '../../src/engine/upkeep/callback-watch.ts';
import { createSlotPrefetch } from '../../src/engine/planning/slot-prefetch.ts';
import { createHeartbeat, type Heartbeat } from '../../src/engine/upkeep/heartbeat.ts';
import { createLostClaims, type LostClaims } from '../../src/engine/running/lost-claims.ts';
import { createLeaseKeeper } from '../../src/engine/upkeep/lease-keeper.ts';
import type { Loop } from '../../src/async/loop.ts';
import { createPlanner } from '../../src/engine/planning/planner.ts';
import { createUnblocker, type Unblocker } from '../../src/engine/planning/unblocker.ts';
import { createPruner } from '../../src/engine/upkeep/pruner.ts';
import { createRescuer, type Rescuer } from '../../src/engine/upkeep/rescuer.ts';
import { createSettler, type Settler } from '../../src/engine/running/settler.ts';
import { createWorker, type Worker } from '../../src/engine/running/worker.ts';
import type { WakeUp, WakeUps } from '../../src/events/wakeups.ts';
import { createSender, type Sender } from '../../src/http/send-attempt.ts';
import { createTargetGuard } from '../../src/http/target-guard.ts';
import type { StoredJob } from '../../src/store/jobs/jobs.ts';
import type { SettlementRow } from '../../src/store/executions/settling.ts';
import { settleUpstream } from '../../src/store/executions/settling-upstream.ts';
import type { ManualClock } from './manual-clock.ts';

export const CALLER: Caller = { actor: 'test', requestId: 'req-1', address: null };
export const LEASE_MS = 30_000;
export const LONGEST_REST_MS = 10_000;
export const HEARTBEAT_INTERVAL_MS = 30_000;
/** Signs the callback URLs of all instances of a test. */
export const CALLBACK_SECRET = 'secret of a test';
export const DAY_MS = 24 * 3_600_000;
export const ALERT_MAX_ATTEMPTS = 4;
export const ALERT_MAX_PER_MINUTE = 3;

export type InstanceOptions = {
  connectionString: string;
  clock: ManualClock;
  instanceId?: string;
  maxConcurrency?: number;
  maxConcurrencyPerHost?: number;
  /** Of the pace at which hosts answer, and of rests and breaks; the process's own where left out. */
  monotonicMs?: () => number;
  /** Outcomes that may wait to be recorded. */
  maxUnrecorded?: number;
  /** How long to wait for the database's answer to a statement. */
  answerTimeoutMs?: number;
  /** In [0, 1); 0 where left out. */
  random?: () => number;
  /** Where alerts by EMAIL go; there is no mail where left out. */
  smtpUrl?: string;
  /** For one try to deliver an alert. */
  alertTimeoutMs?: number;
  alertSigningKey?: Buffer;
  /** What must not be called; nothing is blocked where left out. */
  blockedRanges?: readonly string[];
};

/** One instance of the scheduler, taken apart: nothing runs by itself, a test steps each loop with `runOnce`. */
export type TestInstance = {
  instanceId: string;
  pool: Pool;
  clock: ManualClock;
  sender: Sender;
  commands: Commands;
  /** For whoever binds a command of its own. */
  commandDeps: CommandDeps;
  planner: Loop;
  unblocker: Unblocker;
  worker: Worker;
  lostClaims: LostClaims;
  settler: Settler;
  leaseKeeper: Loop;
  rescuer: Rescuer;
  callbackWatch: Loop;
  pruner: Loop;
  heartbeat: Heartbeat;
  alertReader: AlertReader;
  deliverer: Deliverer;
  wakeUps: RecordedWakeUps;
  /** What the loops could not do, in order. */
  errors: unknown[];
  /** Claims what is due and waits until all of it is recorded. */
  work: () => Promise<void>;
  /** Ends all calls and connections. */
  close: () => Promise<void>;
};

/** Wake-ups that reach this instance only, and are remembered. */
export type RecordedWakeUps = WakeUps & { readonly woken: WakeUp[] };

export function recordWakeUps(): RecordedWakeUps {
  const woken: WakeUp[] = [];
  const listeners: { kind: WakeUp; listener: () => void }[] = [];
  return {
    woken,
    on(kind, listener) {
      listeners.push({ kind, listener });
    },
    wake(...kinds) {
      woken.push(...kinds);
      for (const { kind, listener } of listeners) if (kinds.includes(kind)) listener();
    },
    noteOthers: () => undefined,
    start: () => undefined,
    stop: () => Promise.resolve(),
  };
}

export function createInstance(options: InstanceOptions): TestInstance {
  const { clock, instanceId = `test-${randomUUID().slice(0, 8)}`, random = () => 0 } = options;
  const errors: unknown[] = [];
  const onError = (error: unknown) => errors.push(error);
  const pool = createPool({
    connectionString: options.connectionString,
    max: 6,
    applicationName: instanceId,
    ...(options.answerTimeoutMs && { answerTimeoutMs: options.answerTimeoutMs }),
  });
  const wakeUps = recordWakeUps();
  const sender = createSender({
    version: 'test',
    guard: createTargetGuard({ blockedRanges: options.blockedRanges ?? [] }),
  });
  const { smtpUrl, alertTimeoutMs = 10_000 } = options;
  const deliverer = createDeliverer({
    db: pool,
    clock,
    sender,
    mailer:
      smtpUrl === undefined ? null : createMailer({ smtpUrl, from: 'Scheduler <scheduler@test.example>' }),
    signingKey: options.alertSigningKey ?? null,
    timeoutMs: alertTimeoutMs,
    maxAttempts: ALERT_MAX_ATTEMPTS,
    random,
    pause: nextTurn,
    longestRestMs: LONGEST_REST_MS,
    onError,
  });
  const alertReader = createAlertReader({
    pool,
    clock,
    newId: newUuidV7,
    longestRestMs: LONGEST_REST_MS,
    maxPerMinute: ALERT_MAX_PER_MINUTE,
    onDeliveries: () => undefined,
    onError,
  });
  const commandDeps: CommandDeps = {
    pool,
    clock,
    newId: newUuidV7,
    randomBytes,
    wake: wakeUps.wake,
    checkTarget: () => ({ ok: true }),
    alerts: {
      isMailConfigured: smtpUrl !== undefined,
      leaseMs: deliveryLeaseMs(alertTimeoutMs),
      send: deliverer.send,
    },
  };
  const tell =
    (...kinds: WakeUp[]) =>
    () => {
      wakeUps.wake(...kinds);
    };
  const tellAlso =
    (...kinds: WakeUp[]) =>
    ({ isReplacing }: { isReplacing: boolean }) => {
      wakeUps.wake(...kinds, ...(isReplacing ? (['cancellations'] as const) : []));
    };
  const recordUpstream = (settlements: readonly SettlementRow[]) =>
    settleUpstream(pool, settlements, newUuidV7);
  const settler = createSettler({
    db: pool,
    settleUpstream: recordUpstream,
    pause: nextTurn,
    ...(options.maxUnrecorded && { maxUnrecorded: options.maxUnrecorded }),
    onRecorded: tell('events'),
    onAwaiting: tell('events'),
    onPlanned: tellAlso('executions'),
  });
  const lostClaims = createLostClaims({
    db: pool,
    clock,
    settler,
    instanceId,
    leaseMs: LEASE_MS,
    holds: (claim) => worker.holds(claim),
    onError,
  });
  const worker = createWorker({
    pool,
    clock,
    sender,
    settler,
    random,
    callbackUrl,
    instanceId,
    lostClaims,
    maxConcurrency: options.maxConcurrency ?? 50,
    maxConcurrencyPerHost: options.maxConcurrencyPerHost ?? 50,
    leaseMs: LEASE_MS,
    longestRestMs: LONGEST_REST_MS,
    onClaimed: tell('events'),
    onError,
    ...(options.monotonicMs && { monotonicMs: options.monotonicMs }),
  });
  const planner = createPlanner({
    pool,
    clock,
    longestRestMs: LONGEST_REST_MS,
    slotPrefetch: createSlotPrefetch({
      pool,
      clock,
      instanceId,
      leaseMs: LEASE_MS,
      lostClaims,
      worker,
      onWaiting: tell('executions', 'events'),
      ...(options.monotonicMs && { monotonicMs: options.monotonicMs }),
    }),
    newId: newUuidV7,
    resumePaused: () => resumeEndedPauses(commandDeps),
    ...(options.monotonicMs && { monotonicMs: options.monotonicMs }),
    onPlanned: tellAlso('executions', 'events'),
    onError,
  });
  const unblocker = createUnblocker({
    pool,
    clock,
    longestRestMs: LONGEST_REST_MS,
    onUnblocked: tell('executions', 'events'),
    onError,
  });
  const heartbeat = createHeartbeat({
    pool,
    clock,
    instance: { instanceId, hostname: 'test-host', version: 'test', startedAt: clock.now() },
    intervalMs: HEARTBEAT_INTERVAL_MS,
    ...(options.monotonicMs && { monotonicMs: options.monotonicMs }),
    runningExecutions: () => worker.held().length,
    onOthers: (isAnyAlive) => {
      wakeUps.noteOthers(isAnyAlive);
    },
    onError,
  });
  const loops = {
    leaseKeeper: createLeaseKeeper({
      db: pool,
      clock,
      worker,
      leaseMs: LEASE_MS,
      onError,
      ...(options.monotonicMs && { monotonicMs: options.monotonicMs }),
    }),
    rescuer: createRescuer({
      pool,
      clock,
      instanceId,
      leaseMs: LEASE_MS,
      heartbeatIntervalMs: HEARTBEAT_INTERVAL_MS,
      held: worker.held,
      ...(options.monotonicMs && { monotonicMs: options.monotonicMs }),
      settleUpstream: recordUpstream,
      onRescued: tellAlso('executions', 'events'),
      onError,
    }),
    callbackWatch: createCallbackWatch({
      pool,
      clock,
      longestRestMs: LONGEST_REST_MS,
      newId: newUuidV7,
      random,
      onEnded: tellAlso('executions', 'events'),
      ...(options.monotonicMs && { monotonicMs: options.monotonicMs }),
      onError,
    }),
    pruner: createPruner({
      pool,
      clock,
      executionRetentionMs: 30 * DAY_MS,
      eventRetentionMs: 3 * DAY_MS,
      auditRetentionMs: 365 * DAY_MS,
      onError,
    }),
  };
  let closing: Promise<void> | undefined;

  return {
    instanceId,
    pool,
    clock,
    sender,
    commands: createCommands(commandDeps),
    commandDeps,
    planner,
    unblocker,
    worker,
    lostClaims,
    settler,
    heartbeat,
    alertReader,
    deliverer,
    ...loops,
    wakeUps,
    errors,
    async work() {
      await worker.runOnce();
      await worker.drained();
    },
    close() {
      closing ??= closeParts();
      return closing;
    },
  };

  async function closeParts(): Promise<void> {
    const all = [planner, unblocker, worker, heartbeat, alertReader, deliverer, ...Object.values(loops)];
    for (const loop of all) await loop.stop();
    sender.close();
    deliverer.abort();
    await worker.drained();
    await lostClaims.end();
    await deliverer.drained();
    await pool.end();
  }
}

/** Where targets call back: an address at which nobody listens. */
export function callbackUrl(attempt: CallbackClaim): string {
  return `http://scheduler.test${CALLBACK_PATH}${signCallbackToken(attempt, CALLBACK_SECRET)}`;
}

/** Lets everything else have its turn; what waits for the database does not wait for a clock in tests. */
function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** Creates a job as a user would. Throws what the command answers with where it refuses. */
export async function createJob(
  { commands }: Pick<TestInstance, 'commands'>,
  input: Partial<CreateJobInput> = {},
): Promise<StoredJob> {
  return valueOf(
    await commands.createJob(CALLER, {
      name: 'Job of a test',
      api: 'http://127.0.0.1:9/unreachable',
      ...input,
    }),
  );
}

/** Triggers a job by hand; answers the execution's id (a UUID). */
export async function trigger(
  { commands }: Pick<TestInstance, 'commands'>,
  job: { id: string },
): Promise<string> {
  return valueOf(await commands.triggerJob(CALLER, reference(job))).executionId;
}

/** A job as a command names it. */
export function reference(job: { id: string }): { id: string } {
  return { id: encodePublicId('Job', job.id) };
}

/** What a command gave; its refusal becomes an exception. */
export function valueOf<T>(result: CommandResult<T>): T {
  if (result.ok) return result.value;
  throw new Error(`A command refused: ${JSON.stringify(result.errors)}`);
}
