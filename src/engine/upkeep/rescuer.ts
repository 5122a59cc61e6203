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
  /** The time between two readings of the database's clock. */
  heartbeatIntervalMs: number;
  /** The claims that this instance holds. */
  held: () => readonly HeldClaim[];
  onError: (error: unknown) => void;
  monotonicMs?: () => number;
}

const BATCH = 500;
/** The longest time between two looks, as a share of a lease. So the rescuer sees each lease before it ends. */
const LOOK_SHARE = 1 / 2;
/** The rest when a lease has ended but the look finds nothing: the row is locked, or the execution is excluded. */
const OVERDUE_INTERVAL_MS = 1_000;
const MIN_INTERVAL_MS = 100;
/**
 * The wait after an outage of the database that was longer than leases. In it, live instances extend their leases and
 * record the outcomes in their memory. Otherwise these outcomes would be lost and the calls repeated.
 */
const RETURN_GRACE_MS = 4_000;

/**
 * Recovers the executions of dead instances. The only sign of death is an ended lease. A holder that was only frozen
 * has lost its claim, and its late outcome is not written.
 *
 * After an outage of the database that was longer than a lease, every lease has ended although no instance may be
 * dead. So the rescuer gives live instances a moment to extend their leases. It does the same when the database's
 * clock was set forward. It skips the claims of its own instance.
 */
export interface Rescuer extends Loop {
  /** Takes the end of the earliest lease from another reader of the database. The rescuer then needs no own look. */
  hear: (leaseEndsAt: Date | null) => void;
}

export function createRescuer(options: RescuerOptions): Rescuer {
  const { pool, clock, leaseMs, heartbeatIntervalMs, held, onError } = options;
  const { monotonicMs = () => performance.now() } = options;
  const intervalMs = leaseMs * LOOK_SHARE;
  // Live instances always have at least two thirds of a lease left. So a shorter silence ends no lease.
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
    // This is shorter than a break. Another break would start the grace again.
    if (lost.length > 0 && graceMs > 0) return Math.min(graceMs, leaseMs / 4);
    if (lost.length > 0) await togetherOrOneByOne(lost, (some) => rescueBatch(some, now), leaveAlone);
    if (lost.length === BATCH) return 0;
    return Math.min(lost.length === 0 ? OVERDUE_INTERVAL_MS : MIN_INTERVAL_MS, intervalMs);
  }

  function graceLeftMs(unbrokenMs: number): number {
    const returnGraceMs = Math.min(RETURN_GRACE_MS, leaseMs / 2);
    return returnGraceMs + Math.max(-unbrokenMs, heartbeatIntervalMs - clock.sinceSetForwardMs());
  }

  /** A recent report, as good as a look of this loop. */
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
