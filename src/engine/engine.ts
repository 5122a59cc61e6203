import type { Pool } from 'pg';
import type { CallbackClaim } from '../domain/execution/callback-token.ts';
import { earliest } from '../domain/schedule/earliest.ts';
import type { DatabaseClock } from '../store/upkeep/database-clock.ts';
import type { SettlementRow } from '../store/executions/settling.ts';
import { settleUpstream } from '../store/executions/settling-upstream.ts';
import type { WakeUp, WakeUps } from '../events/wakeups.ts';
import type { Sender } from '../http/send-attempt.ts';
import { createLogger } from '../logging/logger.ts';
import { createCallbackWatch } from './upkeep/callback-watch.ts';
import { createSlotPrefetch } from './planning/slot-prefetch.ts';
import { createHeartbeat } from './upkeep/heartbeat.ts';
import { createLeaseKeeper } from './upkeep/lease-keeper.ts';
import { createLostClaims } from './running/lost-claims.ts';
import { createLoop } from '../async/loop.ts';
import { watchLoops } from '../async/loop-watch.ts';
import { LONGEST_REST_MS, type Poller } from '../events/poller.ts';
import { createPlanner } from './planning/planner.ts';
import { createPruner } from './upkeep/pruner.ts';
import { createRescuer } from './upkeep/rescuer.ts';
import { createSettler } from './running/settler.ts';
import { createUnblocker } from './planning/unblocker.ts';
import { createWorker } from './running/worker.ts';

const logger = createLogger('Scheduler');

export interface EngineOptions {
  pool: Pool;
  /** For the extension of leases alone. */
  leasePool: Pool;
  clock: DatabaseClock;
  sender: Sender;
  wakeUps: WakeUps;
  /** Looks at polling pace, for all loops together, for what nobody has told them of. */
  poller: Poller;
  resumePaused: () => Promise<Date | null>;
  /** Draws the id of an execution that no slot names. */
  newId: (now: Date) => string;
  /** A number in [0, 1). */
  random: () => number;
  /** Where the target of an attempt calls back. */
  callbackUrl: (attempt: CallbackClaim) => string;
  instance: { instanceId: string; hostname: string; version: string; startedAt: Date };
  maxConcurrency: number;
  maxConcurrencyPerHost: number;
  leaseMs: number;
  heartbeatIntervalMs: number;
  shutdownGraceMs: number;
  executionRetentionMs: number;
  auditRetentionMs: number;
  eventRetentionMs: number;
}

export interface Engine {
  start: () => Promise<void>;
  /** Claims nothing more, drains within the grace, aborts the rest and gives it back. Final: what stopped stays so. */
  stop: () => Promise<void>;
  /** Whether calls wait for a place at a host that answers, or slots that have come are being started. */
  isPressed: () => boolean;
  /** Loops that have not succeeded for longer than they should, by name; empty when all is well. */
  stalledLoops: () => string[];
}

/** After the abort: time for the outcomes of aborted calls to be recorded. */
const GIVE_BACK_MS = 3_000;

/** Between two looks at what waits for a place. */
const PLACE_WATCH_MS = 1_000;

/** Outcomes that come faster than this are recorded together: each statement costs the database a flush to disk. */
const GATHER_MS = 50;

/** Makes the loops of one instance and ties them together. */
export function createEngine(options: EngineOptions): Engine {
  const { pool, clock, wakeUps, poller, instance, leaseMs, shutdownGraceMs } = options;
  const onError = (part: string) => (error: unknown) => {
    logger.warn('A step failed and is tried again', { part, error });
  };

  const recordUpstream = (settlements: readonly SettlementRow[]) =>
    settleUpstream(pool, settlements, options.newId);
  const isPressed = () => worker.isPressed() || slotPrefetch.isStarting();
  const settler = createSettler({
    db: pool,
    settleUpstream: recordUpstream,
    pause,
    gatherMs: GATHER_MS,
    isPressed,
    areMoreNear: () => worker.areOutcomesNear(),
    onRecorded: (settlements) => {
      unblocker.noteEnd();
      // It is available sooner, perhaps, than whatever the worker waits for.
      if (settlements.some(({ status }) => status === 'RETRYING')) worker.wake();
      // Given back: another instance is to take it up now, not when it next polls.
      if (settlements.some(({ status }) => status === 'PENDING')) wakeUps.wake('executions', 'events');
      else wakeUps.wake('events');
    },
    onAwaiting: () => {
      callbackWatch.wake();
      wakeUps.wake('events');
    },
    onPlanned: ({ isReplacing }) => {
      wakeUps.wake('executions', 'blocked', ...toStop(isReplacing));
    },
  });
  const lostClaims = createLostClaims({
    db: pool,
    clock,
    settler,
    instanceId: instance.instanceId,
    leaseMs,
    holds: (claim) => worker.holds(claim),
    onError: onError('lost claims'),
  });
  const worker = createWorker({
    ...options,
    longestRestMs: LONGEST_REST_MS,
    settler,
    instanceId: instance.instanceId,
    lostClaims,
    onClaimed: () => {
      wakeUps.wake('events');
    },
    onError: onError('worker'),
  });
  const onWaiting = () => {
    wakeUps.wake('executions', 'events');
  };
  const slotPrefetch = createSlotPrefetch({
    pool,
    clock,
    instanceId: instance.instanceId,
    leaseMs,
    lostClaims,
    worker,
    onWaiting,
  });
  const planner = createPlanner({
    ...options,
    longestRestMs: LONGEST_REST_MS,
    slotPrefetch,
    onPlanned: ({ isAnythingBlocked, isReplacing }) => {
      if (isAnythingBlocked) unblocker.wake();
      wakeUps.wake('executions', 'events', ...toStop(isReplacing));
    },
    onError: onError('planner'),
  });
  const leaseKeeper = createLeaseKeeper({
    db: options.leasePool,
    clock,
    worker,
    leaseMs,
    onError: onError('lease keeper'),
  });
  const placeWatch = createLoop({
    name: 'place watch',
    step() {
      worker.giveBackStuck();
      return Promise.resolve(PLACE_WATCH_MS);
    },
    onError: onError('place watch'),
  });
  const leaseWatch = createLoop({
    name: 'lease watch',
    step: () => Promise.resolve(worker.endOverdue()),
    onError: onError('lease watch'),
  });
  const rescuer = createRescuer({
    pool,
    clock,
    instanceId: instance.instanceId,
    leaseMs,
    heartbeatIntervalMs: options.heartbeatIntervalMs,
    held: worker.held,
    settleUpstream: recordUpstream,
    onRescued: ({ isReplacing }) => {
      wakeUps.wake('executions', 'blocked', 'events', ...toStop(isReplacing));
    },
    onError: onError('rescuer'),
  });
  const callbackWatch = createCallbackWatch({
    ...options,
    longestRestMs: LONGEST_REST_MS,
    onEnded: ({ isReplacing }) => {
      wakeUps.wake('executions', 'blocked', 'events', ...toStop(isReplacing));
    },
    onError: onError('callback watch'),
  });
  const pruner = createPruner({ ...options, onError: onError('pruner') });
  const heartbeat = createHeartbeat({
    ...options,
    intervalMs: options.heartbeatIntervalMs,
    runningExecutions: () => worker.held().length,
    onOthers: wakeUps.noteOthers,
    onError: onError('heartbeat'),
  });
  const unblocker = createUnblocker({
    ...options,
    longestRestMs: LONGEST_REST_MS,
    onUnblocked: () => {
      wakeUps.wake('executions', 'events');
    },
    onError: onError('unblocker'),
  });
  wakeUps.on('instances', heartbeat.wake);
  wakeUps.on('blocked', unblocker.wake);
  wakeUps.on('jobs', planner.wake);
  wakeUps.on('executions', worker.wake);
  wakeUps.on('cancellations', leaseKeeper.wake);
  wakeUps.on('cancellations', callbackWatch.wake);

  poller.serve(planner, ({ runAt, pauseEndsAt }) => earliest(runAt, pauseEndsAt));
  poller.serve(worker, ({ availableAt }) => availableAt);
  poller.serve(unblocker, ({ isAnythingBlocked }) => isAnythingBlocked);
  poller.serve(callbackWatch, ({ waitEndsAt }) => waitEndsAt);
  poller.onLook(({ leaseEndsAt }) => {
    rescuer.hear(leaseEndsAt);
  });

  const watch = watchLoops([planner, worker, leaseKeeper]);
  let entering: Promise<void> | undefined;
  let stopping: Promise<void> | undefined;

  const isStopping = (): boolean => stopping !== undefined;

  async function start(): Promise<void> {
    if (isStopping()) return;
    entering ??= heartbeat.enter();
    await entering;
    // Those who took themselves for alone are to tell us, too, from now on.
    wakeUps.wake('instances');
    // Asked again: a stop that came meanwhile has found no loop to stop.
    if (isStopping()) return;
    const loops = [
      heartbeat,
      leaseKeeper,
      rescuer,
      callbackWatch,
      planner,
      unblocker,
      worker,
      lostClaims,
      placeWatch,
      leaseWatch,
      pruner,
    ];
    for (const loop of loops) loop.start();
    logger.info('Scheduler started', { instanceId: instance.instanceId });
  }

  async function stopParts(): Promise<void> {
    await entering?.catch(() => undefined);
    // The pruner's statements may take minutes; nothing but a claim need be waited for.
    const stopped = Promise.all(
      [unblocker, rescuer, callbackWatch, placeWatch, pruner].map((loop) => loop.stop()),
    );
    await Promise.all([planner.stop(), worker.stop()]);
    // Whoever takes over may have places at once.
    worker.giveBackWaiting();
    const running = worker.held().length;
    if (running > 0) logger.info('Waiting for calls in flight', { running, graceMs: shutdownGraceMs });
    if (!(await within(worker.drained(), shutdownGraceMs))) {
      for (const { executionId } of worker.held()) worker.end(executionId, 'shutdown');
      if (!(await within(worker.drained(), GIVE_BACK_MS))) {
        logger.warn('Some outcomes could not be recorded; their leases will end', {
          running: worker.held().length,
        });
        settler.giveUp();
      }
    }
    if (!(await within(Promise.all([stopped, lostClaims.end()]), GIVE_BACK_MS))) {
      logger.warn('Some loops have not come to an end');
      settler.giveUp();
    }
    await Promise.all([leaseKeeper.stop(), leaseWatch.stop()]);
    await heartbeat.stop();
    if (entering) await within(heartbeat.leave().catch(onError('heartbeat')), GIVE_BACK_MS);
    // Who is alone from now on need tell nobody anything.
    wakeUps.wake('instances');
    logger.info('Scheduler stopped');
  }

  return {
    start,
    stop() {
      stopping ??= stopParts();
      return stopping;
    },
    isPressed,
    stalledLoops: watch.stalled,
  };
}

/** What a new execution that takes the place of running ones wakes: calls are aborted at once, not when next looked at. */
function toStop(isReplacing: boolean): readonly WakeUp[] {
  return isReplacing ? ['cancellations'] : [];
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** Whether the work ended in time; it goes on either way. */
async function within(work: Promise<unknown>, ms: number): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<false>((resolve) => {
    timer = setTimeout(() => {
      resolve(false);
    }, ms);
  });
  try {
    return await Promise.race([work.then(() => true), late]);
  } finally {
    clearTimeout(timer);
  }
}
