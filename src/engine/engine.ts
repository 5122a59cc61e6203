import { watchLoops } from '../async/loop-watch.ts';
import { earliest } from '../domain/schedule/earliest.ts';
import { LONGEST_REST_MS } from '../events/poller.ts';
import { createLogger } from '../logging/logger.ts';
import { settleUpstream } from '../store/executions/settling-upstream.ts';
import type { EngineOptions, PartOptions } from './engine-options.ts';
import { createPlanning, type Planning } from './planning/planning.ts';
import { createRunning, type Running } from './running/running.ts';
import { leave, stopLoops } from './shutdown.ts';
import { createUpkeep, type Upkeep } from './upkeep/upkeep.ts';

const logger = createLogger('Scheduler');

export interface Engine {
  start: () => Promise<void>;
  /**
   * Claims nothing more, drains within the grace, aborts the other calls and gives them back. The engine cannot start
   * again.
   */
  stop: () => Promise<void>;
  /** Whether calls wait for a place at a host that answers, or due slots are about to start. */
  isPressed: () => boolean;
  /** The names of loops without a success for too long; empty when all is well. */
  stalledLoops: () => string[];
}

interface Parts {
  planning: Planning;
  running: Running;
  upkeep: Upkeep;
}

/** Creates the parts of one instance and connects them. */
export function createEngine(options: EngineOptions): Engine {
  const { wakeUps, instance, shutdownGraceMs } = options;
  const partOptions: PartOptions = {
    ...options,
    instanceId: instance.instanceId,
    longestRestMs: LONGEST_REST_MS,
    settleUpstream: (settlements) => settleUpstream(options.pool, settlements, options.newId),
    onErrorOf,
  };
  const isPressed = () => running.worker.isPressed() || planning.slotPrefetch.isStarting();
  const running = createRunning({
    ...partOptions,
    isPressed,
    onRecorded: () => {
      planning.unblocker.noteEnd();
    },
    onAwaiting: () => {
      upkeep.callbackWatch.wake();
    },
  });
  const planning = createPlanning(partOptions, running);
  const upkeep = createUpkeep(partOptions, running.worker);
  const parts: Parts = { planning, running, upkeep };
  wakeWith(options, parts);
  serveByPoller(options, parts);
  const watch = watchLoops([planning.planner, running.worker, upkeep.leaseKeeper]);

  let entering: Promise<void> | undefined;
  let stopping: Promise<void> | undefined;
  const isStopping = (): boolean => stopping !== undefined;

  async function start(): Promise<void> {
    if (isStopping()) return;
    entering ??= upkeep.heartbeat.enter();
    await entering;
    // Instances that believed to be alone must notify us too from now on.
    wakeUps.wake('instances');
    // A second check: a stop in between has found no loop to stop.
    if (isStopping()) return;
    startLoops(parts);
    logger.info('Scheduler started', { instanceId: instance.instanceId });
  }

  async function stopParts(): Promise<void> {
    await entering?.catch(() => undefined);
    await stopLoops(parts, shutdownGraceMs);
    if (entering) await leave(upkeep, onErrorOf('heartbeat'));
    // An instance that is alone from now on needs to notify nobody.
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

function onErrorOf(part: string): (error: unknown) => void {
  return (error) => {
    logger.warn('A step failed and is tried again', { part, error });
  };
}

/** Connects the wake-ups of any instance with the loops of this one. */
function wakeWith({ wakeUps }: EngineOptions, { planning, running, upkeep }: Parts): void {
  wakeUps.on('instances', upkeep.heartbeat.wake);
  wakeUps.on('blocked', planning.unblocker.wake);
  wakeUps.on('jobs', planning.planner.wake);
  wakeUps.on('executions', running.worker.wake);
  wakeUps.on('cancellations', upkeep.leaseKeeper.wake);
  wakeUps.on('cancellations', upkeep.callbackWatch.wake);
}

/** Connects the loops with the poller, because a notification may be lost. */
function serveByPoller({ poller }: EngineOptions, { planning, running, upkeep }: Parts): void {
  poller.serve(planning.planner, ({ runAt, pauseEndsAt }) => earliest(runAt, pauseEndsAt));
  poller.serve(running.worker, ({ availableAt }) => availableAt);
  poller.serve(planning.unblocker, ({ isAnythingBlocked }) => isAnythingBlocked);
  poller.serve(upkeep.callbackWatch, ({ waitEndsAt }) => waitEndsAt);
  poller.onLook(({ leaseEndsAt }) => {
    upkeep.rescuer.hear(leaseEndsAt);
  });
}

function startLoops({ planning, running, upkeep }: Parts): void {
  const loops = [
    upkeep.heartbeat,
    upkeep.leaseKeeper,
    upkeep.rescuer,
    upkeep.callbackWatch,
    planning.planner,
    planning.unblocker,
    running.worker,
    running.lostClaims,
    running.placeWatch,
    running.leaseWatch,
    upkeep.pruner,
  ];
  for (const loop of loops) loop.start();
}
