import type { Pool } from 'pg';
import type { Clock } from '../domain/clock.ts';
import { createLogger } from '../logging/logger.ts';
import { pruneEvents } from '../store/event-log.ts';
import { pruneExecutions } from '../store/pruning.ts';
import { createLoop, type Loop } from '../loop.ts';

const logger = createLogger('Pruner');

export interface PrunerOptions {
  pool: Pool;
  clock: Clock;
  executionRetentionMs: number;
  eventRetentionMs: number;
  onError: (error: unknown) => void;
}

/** Small bites: each is one statement whose locks and WAL nobody notices. */
const BATCH = 1_000;
const BETWEEN_BATCHES_MS = 50;
const IDLE_MS = 60_000;

/** Deletes what is past its retention: events, and finished executions with all that hangs on them. */
export function createPruner({
  pool,
  clock,
  executionRetentionMs,
  eventRetentionMs,
  onError,
}: PrunerOptions): Loop {
  async function step(): Promise<number> {
    const nowMs = clock.now().getTime();
    const events = await pruneEvents(pool, new Date(nowMs - eventRetentionMs), BATCH);
    const executions = await pruneExecutions(pool, new Date(nowMs - executionRetentionMs), BATCH);
    if (events + executions > 0) logger.info('Pruned', { events, executions });
    return events === BATCH || executions === BATCH ? BETWEEN_BATCHES_MS : IDLE_MS;
  }

  return createLoop({ name: 'pruner', step, onError });
}
