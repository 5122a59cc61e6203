import type { Pool } from 'pg';
import type { Clock } from '../../domain/values/clock.ts';
import { FOLDS } from '../../domain/metrics/metrics-window.ts';
import { createLogger } from '../../logging/logger.ts';
import { pruneDeliveries } from '../../store/alerts/alert-deliveries.ts';
import { pruneEvents } from '../../store/events/event-log.ts';
import { foldRollups, foldsBefore } from '../../store/metrics/folding.ts';
import { sumUpJobCounts } from '../../store/jobs/job-counts.ts';
import { pruneAuditLog, pruneExecutions } from '../../store/upkeep/pruning.ts';
import { readOldestKept } from '../../store/upkeep/upkeep.ts';
import { inPatientTransaction, type Queryable } from '../../store/statements/sql.ts';
import { createLoop, type Loop } from '../../async/loop.ts';

const logger = createLogger('Pruner');

export interface PrunerOptions {
  pool: Pool;
  clock: Clock;
  executionRetentionMs: number;
  eventRetentionMs: number;
  auditRetentionMs: number;
  onError: (error: unknown) => void;
}

/** Small batches: each is one statement with few locks and little WAL. */
const BATCH = 1_000;
const BETWEEN_BATCHES_MS = 50;
const IDLE_MS = 60_000;
/** On a slow disk a batch and its dependent rows take longer than statements that users wait for. */
const TIMEOUT_MS = 120_000;

/**
 * Deletes rows past their retention: events, finished executions with their dependent rows, alert deliveries, and the
 * audit log. The counts of executions stay. Older counts are in longer buckets.
 */
export function createPruner({
  pool,
  clock,
  executionRetentionMs,
  eventRetentionMs,
  auditRetentionMs,
  onError,
}: PrunerOptions): Loop {
  async function step(): Promise<number> {
    const now = clock.now();
    const nowMs = now.getTime();
    const oldest = await readOldestKept(
      pool,
      FOLDS.map(({ fromMinutes }) => fromMinutes),
    );
    const counts = {
      events: await prune(pruneEvents, oldest.eventAt, nowMs - eventRetentionMs),
      executions: await prune(pruneExecutions, oldest.finishedAt, nowMs - executionRetentionMs),
      deliveries: await prune(pruneDeliveries, oldest.deliveryCreatedAt, nowMs - executionRetentionMs),
      auditEntries: await prune(pruneAuditLog, oldest.auditEntryAt, nowMs - auditRetentionMs),
    };
    if (Object.values(counts).some((count) => count > 0)) logger.info('Pruned', counts);
    const folded = await fold(oldest.rollupAt, now);
    if (oldest.areJobCountsLoose) await sumUpJobCounts(pool);
    return [...Object.values(counts), ...folded].includes(BATCH) ? BETWEEN_BATCHES_MS : IDLE_MS;
  }

  async function prune(
    deleteBatch: (tx: Queryable, before: Date, limit: number) => Promise<number>,
    oldestAt: Date | null,
    beforeMs: number,
  ): Promise<number> {
    if (oldestAt === null || oldestAt.getTime() >= beforeMs) return 0;
    return inPatientTransaction(pool, TIMEOUT_MS, (tx) => deleteBatch(tx, new Date(beforeMs), BATCH));
  }

  /** Each fold may create buckets for the next one, which finds them a minute later. */
  async function fold(oldestAt: readonly (Date | null)[], now: Date): Promise<number[]> {
    const counts: number[] = [];
    for (const [index, step] of FOLDS.entries()) {
      const before = foldsBefore(step, now);
      const oldest = oldestAt[index] ?? null;
      if (oldest === null || oldest >= before) continue;
      counts.push(await inPatientTransaction(pool, TIMEOUT_MS, (tx) => foldRollups(tx, step, before, BATCH)));
    }
    if (counts.length > 0) logger.debug('Folded', { rollups: counts });
    return counts;
  }

  return createLoop({ name: 'pruner', step, onError });
}
