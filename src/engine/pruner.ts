import type { Pool } from 'pg';
import type { Clock } from '../domain/clock.ts';
import { FOLDS } from '../domain/metrics-window.ts';
import { createLogger } from '../logging/logger.ts';
import { pruneDeliveries } from '../store/alert-deliveries.ts';
import { pruneEvents } from '../store/event-log.ts';
import { foldRollups } from '../store/folding.ts';
import { sumUpJobCounts } from '../store/job-counts.ts';
import { pruneAuditLog, pruneExecutions } from '../store/pruning.ts';
import { inPatientTransaction, type Queryable } from '../store/sql.ts';
import { createLoop, type Loop } from '../loop.ts';

const logger = createLogger('Pruner');

export interface PrunerOptions {
  pool: Pool;
  clock: Clock;
  executionRetentionMs: number;
  eventRetentionMs: number;
  auditRetentionMs: number;
  onError: (error: unknown) => void;
}

/** Small bites: each is one statement whose locks and WAL nobody notices. */
const BATCH = 1_000;
const BETWEEN_BATCHES_MS = 50;
const IDLE_MS = 60_000;
/** On a slow disk a batch, with all that hangs on its rows, takes longer than anything that somebody waits for. */
const TIMEOUT_MS = 120_000;

/**
 * Deletes what is past its retention: events, finished executions with all that hangs on them, what was told of them, and
 * the audit log. What was counted of executions stays, in ever longer buckets the older it is.
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
    const counts = {
      events: await prune(pruneEvents, nowMs - eventRetentionMs),
      executions: await prune(pruneExecutions, nowMs - executionRetentionMs),
      deliveries: await prune(pruneDeliveries, nowMs - executionRetentionMs),
      auditEntries: await prune(pruneAuditLog, nowMs - auditRetentionMs),
    };
    if (Object.values(counts).some((count) => count > 0)) logger.info('Pruned', counts);
    const folded = await fold(now);
    await sumUpJobCounts(pool);
    return [...Object.values(counts), ...folded].includes(BATCH) ? BETWEEN_BATCHES_MS : IDLE_MS;
  }

  function prune(
    deleteBatch: (tx: Queryable, before: Date, limit: number) => Promise<number>,
    beforeMs: number,
  ): Promise<number> {
    return inPatientTransaction(pool, TIMEOUT_MS, (tx) => deleteBatch(tx, new Date(beforeMs), BATCH));
  }

  async function fold(now: Date): Promise<number[]> {
    const counts: number[] = [];
    for (const step of FOLDS) {
      counts.push(await inPatientTransaction(pool, TIMEOUT_MS, (tx) => foldRollups(tx, step, now, BATCH)));
    }
    logger.debug('Folded', { rollups: counts });
    return counts;
  }

  return createLoop({ name: 'pruner', step, onError });
}
