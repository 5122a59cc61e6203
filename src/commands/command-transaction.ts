import type { PoolClient } from 'pg';
import { inTransaction } from '../store/sql.ts';
import type { CommandDeps } from './command-deps.ts';

/** serialization_failure and deadlock_detected: the transaction did nothing wrong and may simply be run again. */
const RETRYABLE_CODES: ReadonlySet<unknown> = new Set(['40001', '40P01']);

/**
 * Runs a command's one transaction and, once it is committed, wakes whoever waits for work. A transaction that
 * PostgreSQL chose as a deadlock's victim is run a second time; `work` must therefore keep nothing outside of it.
 */
export async function commandTransaction<T>(
  deps: CommandDeps,
  work: (tx: PoolClient) => Promise<T>,
): Promise<T> {
  const result = await inTransaction(deps.pool, work).catch((error: unknown) => {
    if (!isRetryable(error)) throw error;
    return inTransaction(deps.pool, work);
  });
  deps.wake('jobs', 'executions', 'events');
  return result;
}

function isRetryable(error: unknown): boolean {
  return error instanceof Error && 'code' in error && RETRYABLE_CODES.has(error.code);
}
