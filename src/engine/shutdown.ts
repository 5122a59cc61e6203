import { createLogger } from '../logging/logger.ts';
import type { Planning } from './planning/planning.ts';
import type { Running } from './running/running.ts';
import type { Upkeep } from './upkeep/upkeep.ts';

const logger = createLogger('Scheduler');

/** The time after the abort in which the outcomes of aborted calls can be recorded. */
const GIVE_BACK_MS = 3_000;

interface Parts {
  planning: Planning;
  running: Running;
  upkeep: Upkeep;
}

/** Stops all loops: claims nothing more, drains within the grace, aborts the other calls and gives them back. */
export async function stopLoops({ planning, running, upkeep }: Parts, graceMs: number): Promise<void> {
  const { worker, settler, lostClaims, placeWatch, leaseWatch } = running;
  // The pruner's statements may take minutes. The stop must wait only for claims.
  const others = [planning.unblocker, upkeep.rescuer, upkeep.callbackWatch, placeWatch, upkeep.pruner];
  const stopped = Promise.all(others.map((loop) => loop.stop()));
  await Promise.all([planning.planner.stop(), worker.stop()]);
  // Another instance may have free places at once.
  worker.giveBackWaiting();
  await endCalls(running, graceMs);
  if (!(await within(Promise.all([stopped, lostClaims.end()]), GIVE_BACK_MS))) {
    logger.warn('Some loops have not come to an end');
    settler.giveUp();
  }
  await Promise.all([upkeep.leaseKeeper.stop(), leaseWatch.stop()]);
  await upkeep.heartbeat.stop();
}

async function endCalls({ worker, settler }: Running, graceMs: number): Promise<void> {
  const running = worker.held().length;
  if (running > 0) logger.info('Waiting for calls in flight', { running, graceMs });
  if (await within(worker.drained(), graceMs)) return;
  for (const { executionId } of worker.held()) worker.end(executionId, 'shutdown');
  if (await within(worker.drained(), GIVE_BACK_MS)) return;
  logger.warn('Some outcomes could not be recorded; their leases will end', {
    running: worker.held().length,
  });
  settler.giveUp();
}

/** Marks the instance as stopped, unless the database takes too long. */
export async function leave({ heartbeat }: Upkeep, onError: (error: unknown) => void): Promise<void> {
  await within(heartbeat.leave().catch(onError), GIVE_BACK_MS);
}

/** Whether the work ended in time. It continues in both cases. */
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
