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
  /** Claims nothing more, drains within the grace, aborts the rest and gives it back. Final: what stopped stays so. */
  stop: () => Promise<void>;
  /** Whether calls wait for a place at a host that answers, or slots that have come are being started. */
  isPressed: () => boolean;
  /** Loops that have not succeeded for longer than they should, by name; empty when all is well. */
  stalledLoops: () => string[];
}

interface Parts {
  planning: Planning;
  running: Running;
  upkeep: Upkeep;
}

/** Makes the parts of one instance, and ties them together. */
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
    // Those who took themselves for alone are to tell us, too, from now on.
    wakeUps.wake('instances');
    // Asked again: a stop that came meanwhile has found no loop to stop.
    if (isStopping()) return;
    startLoops(parts);
    logger.info('Scheduler started', { instanceId: instance.instanceId });
  }

  async function stopParts(): Promise<void> {
    await entering?.catch(() => undefined);
    await stopLoops(parts, shutdownGraceMs);
    if (entering) await leave(upkeep, onErrorOf('heartbeat'));
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

function onErrorOf(part: string): (error: unknown) => void {
  return (error) => {
    logger.warn('A step failed and is tried again', { part, error });
  };
}

/** What a wake-up of any instance wakes here. */
function wakeWith({ wakeUps }: EngineOptions, { planning, running, upkeep }: Parts): void {
  wakeUps.on('instances', upkeep.heartbeat.wake);
  wakeUps.on('blocked', planning.unblocker.wake);
  wakeUps.on('jobs', planning.planner.wake);
  wakeUps.on('executions', running.worker.wake);
  wakeUps.on('cancellations', upkeep.leaseKeeper.wake);
  wakeUps.on('cancellations', upkeep.callbackWatch.wake);
}

/** What the poller looks for on behalf of the loops, as nobody may have told them of it. */
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
