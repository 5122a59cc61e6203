import type { PoolClient } from 'pg';
import type { WakeUp } from '../events/wakeups.ts';
import { inTransaction, type Queryable } from '../store/statements/sql.ts';
import type { CommandDeps } from './command-deps.ts';

/** serialization_failure and deadlock_detected: the transaction did nothing wrong and may simply be run again. */
const RETRYABLE_CODES: ReadonlySet<unknown> = new Set(['40001', '40P01']);

type TransactionDeps = Pick<CommandDeps, 'pool' | 'wake'>;

/** Whom a result concerns: where a command does not say, all who wait for work. */
type WakesOf<T> = (result: T) => readonly WakeUp[];
const wakeAll = (): readonly WakeUp[] => ['jobs', 'executions', 'blocked', 'events'];

/**
 * Runs a command's one transaction and, once it is committed, wakes the loops that wait for work. A transaction that
 * PostgreSQL chose as a deadlock's victim is run a second time; `work` must therefore keep nothing outside of it.
 */
export async function commandTransaction<T>(
  deps: TransactionDeps,
  work: (tx: PoolClient) => Promise<T>,
  wakesOf: WakesOf<T> = wakeAll,
): Promise<T> {
  return repeatOnce(deps, () => inTransaction(deps.pool, work), wakesOf);
}

/** The same for a command that makes one statement, or none: it is a transaction by itself. */
export async function commandStatement<T>(
  deps: TransactionDeps,
  work: (db: Queryable) => Promise<T>,
  wakesOf: WakesOf<T> = wakeAll,
): Promise<T> {
  return repeatOnce(deps, () => work(deps.pool), wakesOf);
}

async function repeatOnce<T>(deps: TransactionDeps, run: () => Promise<T>, wakesOf: WakesOf<T>): Promise<T> {
  const result = await run().catch((error: unknown) => {
    if (!isRetryable(error)) throw error;
    return run();
  });
  const wakes = wakesOf(result);
  if (wakes.length > 0) deps.wake(...wakes);
  return result;
}

function isRetryable(error: unknown): boolean {
  return error instanceof Error && 'code' in error && RETRYABLE_CODES.has(error.code);
}
