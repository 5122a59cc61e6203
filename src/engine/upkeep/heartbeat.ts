import type { Pool } from 'pg';
import { ENDED_KEPT_HOURS, SILENT_INTERVALS } from '../../domain/metrics/instance.ts';
import type { DatabaseClock } from '../../store/upkeep/database-clock.ts';
import { createLogger } from '../../logging/logger.ts';
import {
  beat,
  enterInstance,
  forgetInstances,
  leaveInstance,
  markSilentInstances,
  type Beat,
} from '../../store/upkeep/instances.ts';
import { inTransaction } from '../../store/statements/sql.ts';
import { createConnectivity } from './connectivity.ts';
import { createLoop, extendLoop, type Loop } from '../../async/loop.ts';

const logger = createLogger('Heartbeat');

export interface HeartbeatOptions {
  pool: Pool;
  clock: DatabaseClock;
  instance: Pick<Beat, 'instanceId' | 'hostname' | 'version' | 'startedAt'>;
  intervalMs: number;
  runningExecutions: () => number;
  /** Called with each heartbeat: whether any other instance is alive. */
  onOthers: (isAnyAlive: boolean) => void;
  onError: (error: unknown) => void;
  monotonicMs?: () => number;
}

/** Says that this instance is alive, sets its clock by the database's, and marks silent instances. */
export interface Heartbeat extends Loop {
  /** Inserts this instance into the table. */
  enter: () => Promise<void>;
  /** Marks this instance as stopped. */
  leave: () => Promise<void>;
}

const FORGET_AFTER_MS = ENDED_KEPT_HOURS * 3_600_000;

export function createHeartbeat(options: HeartbeatOptions): Heartbeat {
  const { pool, clock, instance, intervalMs, runningExecutions, onOthers, onError } = options;
  const { monotonicMs = () => performance.now() } = options;
  const connectivity = createConnectivity(2 * intervalMs, monotonicMs);
  const entry = (): Beat => ({ ...instance, now: clock.now(), runningExecutions: runningExecutions() });

  async function step(): Promise<number> {
    await clock.refresh();
    const nowMs = clock.now().getTime();
    const silentSince = new Date(nowMs - SILENT_INTERVALS * intervalMs);
    const endedBefore = new Date(nowMs - FORGET_AFTER_MS);
    const others = await beat(pool, entry(), { silentSince, endedBefore });
    // After an outage of the database all instances are silent. Those that are alive send a heartbeat before our next
    // one.
    if (connectivity.noteAnswer() >= intervalMs && others.isAnySilent)
      await markLost(clock.now(), silentSince);
    onOthers(others.isAnyAlive);
    if (others.isAnyForgettable) await forgetInstances(pool, endedBefore);
    return intervalMs;
  }

  async function markLost(now: Date, silentSince: Date): Promise<void> {
    const lost = await inTransaction(pool, (tx) => markSilentInstances(tx, now, silentSince));
    if (lost.length > 0) logger.warn('Instances have fallen silent', { instanceIds: lost });
  }

  const loop = createLoop({ name: 'heartbeat', step, onError });
  return extendLoop(loop, {
    enter: () => inTransaction(pool, (tx) => enterInstance(tx, entry())),
    leave: () => inTransaction(pool, (tx) => leaveInstance(tx, instance.instanceId, clock.now())),
  });
}
