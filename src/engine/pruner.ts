import type { Pool } from 'pg';
import type { Clock } from '../domain/clock.ts';
import { createLogger } from '../logging/logger.ts';
import { pruneEvents } from '../store/event-log.ts';
import { pruneAuditLog, pruneExecutions } from '../store/pruning.ts';
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

/** Deletes what is past its retention: events, finished executions with all that hangs on them, and the audit log. */
export function createPruner({
  pool,
  clock,
  executionRetentionMs,
  eventRetentionMs,
  auditRetentionMs,
  onError,
}: PrunerOptions): Loop {
  async function step(): Promise<number> {
    const nowMs = clock.now().getTime();
    const events = await pruneEvents(pool, new Date(nowMs - eventRetentionMs), BATCH);
    const executions = await pruneExecutions(pool, new Date(nowMs - executionRetentionMs), BATCH);
    const auditEntries = await pruneAuditLog(pool, new Date(nowMs - auditRetentionMs), BATCH);
    const counts = { events, executions, auditEntries };
    if (events + executions + auditEntries > 0) logger.info('Pruned', counts);
    return Object.values(counts).includes(BATCH) ? BETWEEN_BATCHES_MS : IDLE_MS;
  }

  return createLoop({ name: 'pruner', step, onError });
}
