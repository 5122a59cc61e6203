import { createLogger } from '../../logging/logger.ts';
import type { DatabaseClock } from '../../store/upkeep/database-clock.ts';
import {
  findLostExecutions,
  nextLeaseEndAt,
  type HeldClaim,
  type LostExecution,
} from '../../store/executions/leases.ts';
import { createConnectivity } from './connectivity.ts';
import { logIds } from '../running/log-ids.ts';
import { createLoop, extendLoop, type Loop } from '../../async/loop.ts';
import { togetherOrOneByOne } from './one-by-one.ts';
import { createQuarantine } from './quarantine.ts';
import { rescue, type RescueDeps } from './rescue.ts';

const logger = createLogger('Rescuer');

export interface RescuerOptions extends RescueDeps {
  clock: DatabaseClock;
  leaseMs: number;
  /** Between two times at which an instance asks for the database's time. */
  heartbeatIntervalMs: number;
  /** What this instance holds. */
  held: () => readonly HeldClaim[];
  onError: (error: unknown) => void;
  monotonicMs?: () => number;
}

const BATCH = 500;
/** Of a lease, between two looks at most: so each lease is seen before it ends, and looked after when it does. */
const LOOK_SHARE = 1 / 2;
/** A lease that has ended though nothing is found: its row is locked, or its execution left out. */
const OVERDUE_INTERVAL_MS = 1_000;
const MIN_INTERVAL_MS = 100;
/**
 * After the database was away for so long that leases ended: time for all who live to extend theirs and to record the
 * outcomes that wait in their memory, which would else be thrown away for a second call.
 */
const RETURN_GRACE_MS = 4_000;

/**
 * Recovers what dead instances held. An ended lease is the only sign of death it goes by: a holder that was merely
 * frozen finds its claim gone and its late outcome unwritten.
 *
 * Where the database was away for longer than a lease, every lease has ended and nobody need be dead: those who live have
 * a moment to say so; likewise where the database's clock was set forward, once they must have noticed. What this instance
 * holds itself it leaves alone: it lives.
 */
export interface Rescuer extends Loop {
  /** Takes note of what somebody else has seen in the database: when the earliest lease ends. It need not look itself then. */
  hear: (leaseEndsAt: Date | null) => void;
}

export function createRescuer(options: RescuerOptions): Rescuer {
  const { pool, clock, leaseMs, heartbeatIntervalMs, held, onError } = options;
  const { monotonicMs = () => performance.now() } = options;
  const intervalMs = leaseMs * LOOK_SHARE;
  // Whoever could still extend leases a third of one ago has them all, so a shorter silence has ended none.
  const connectivity = createConnectivity((leaseMs * 2) / 3, monotonicMs);
  const quarantine = createQuarantine(monotonicMs);
  let heard: { endsAt: Date | null; atMs: number } | null = null;

  async function step(): Promise<number> {
    const reported = heardLately();
    const before = clock.now();
    if (reported && !isPast(reported.endsAt, before)) return restUntil(reported.endsAt, before);
    const endsAt = await nextLeaseEndAt(pool);
    const unbrokenMs = connectivity.noteAnswer();
    const now = clock.now();
    if (!isPast(endsAt, now)) return restUntil(endsAt, now);
    const except = [...held().map(({ executionId }) => executionId), ...quarantine.ids()];
    const lost = await findLostExecutions(pool, now, { limit: BATCH, except });
    const graceMs = graceLeftMs(unbrokenMs);
    // Well within what would be taken for another break, and begin the grace anew.
    if (lost.length > 0 && graceMs > 0) return Math.min(graceMs, leaseMs / 4);
    if (lost.length > 0) await togetherOrOneByOne(lost, (some) => rescueBatch(some, now), leaveAlone);
    if (lost.length === BATCH) return 0;
    return Math.min(lost.length === 0 ? OVERDUE_INTERVAL_MS : MIN_INTERVAL_MS, intervalMs);
  }

  function graceLeftMs(unbrokenMs: number): number {
    const returnGraceMs = Math.min(RETURN_GRACE_MS, leaseMs / 2);
    return returnGraceMs + Math.max(-unbrokenMs, heartbeatIntervalMs - clock.sinceSetForwardMs());
  }

  /** What a look of this loop could not tell much better. */
  function heardLately(): typeof heard {
    return heard !== null && monotonicMs() - heard.atMs <= intervalMs ? heard : null;
  }

  function restUntil(endsAt: Date | null, now: Date): number {
    if (endsAt === null) return intervalMs;
    return Math.min(Math.max(endsAt.getTime() - now.getTime() + 1, MIN_INTERVAL_MS), intervalMs);
  }

  async function rescueBatch(some: readonly LostExecution[], now: Date): Promise<void> {
    await rescue(options, some, now);
    for (const { id } of some) quarantine.forget(id);
  }

  function leaveAlone({ id, jobId }: LostExecution, error: unknown): void {
    logger.error('An execution cannot be rescued; it is tried again later', {
      ...logIds({ executionId: id, jobId }),
      ...quarantine.add(id),
      error,
    });
  }

  const loop = createLoop({ name: 'rescuer', step, onError });
  return extendLoop(loop, {
    hear(leaseEndsAt) {
      connectivity.noteAnswer();
      heard = { endsAt: leaseEndsAt, atMs: monotonicMs() };
    },
  });
}

function isPast(endsAt: Date | null, now: Date): boolean {
  return endsAt !== null && endsAt < now;
}
