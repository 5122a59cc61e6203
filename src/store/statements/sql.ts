import type { Pool, PoolClient, QueryResult, QueryResultRow } from 'pg';
import { surelyAnsweredMs } from '../../database/pool.ts';
import { isUnanswered } from '../../database/silent-connections.ts';

/** A pool (each statement its own transaction) or a client inside a transaction. */
export interface Queryable {
  query: <Row extends QueryResultRow>(statement: Statement) => Promise<QueryResult<Row>>;
}

/** A prepared statement: the name lets PostgreSQL keep its plan for the connection's life. */
export interface Statement {
  name?: string;
  text: string;
  values?: unknown[];
  /** How long to wait for the answer; the pool's setting by default. */
  query_timeout?: number;
}

/**
 * How long a transaction may be idle between two statements. A process that freezes or loses its connection inside a
 * transaction holds rows and perhaps the event log's lock, which blocks every other instance. PostgreSQL ends its
 * session after this time. No work between two statements takes nearly as long.
 */
const MAX_STANDSTILL_MS = 10_000;

/** Rolls back. It does not wait long for the answer, because the server also rolls back by itself. */
const ROLLBACK = { text: 'ROLLBACK', query_timeout: 2_000 };

/** An open transaction. The caller must call `commit` or `rollback`, once. */
export interface OpenTransaction {
  tx: PoolClient;
  /**
   * @param last a statement without parameters that is sent together with the commit, so its locks are held only
   *   briefly
   * @param maxMs how long to wait for the answer; the pool's setting by default
   * @throws when it was not committed; with an error of `isAway` when that is not known
   */
  commit: (last?: string, maxMs?: number) => Promise<void>;
  /**
   * Never throws.
   *
   * @param reason the error that caused it, if any
   */
  rollback: (reason?: unknown) => Promise<void>;
}

/**
 * Opens a transaction. The database ends it when it is idle for too long.
 *
 * It closes a connection that cannot roll back or has fallen silent. So the next caller does not get a connection
 * with an open transaction.
 *
 * @param maxStandstillMs for how long it may be idle; null when its first statement sets that, before it holds any
 *   lock
 */
export async function openTransaction(
  pool: Pick<Pool, 'connect'>,
  maxStandstillMs: number | null = MAX_STANDSTILL_MS,
): Promise<OpenTransaction> {
  const tx = await pool.connect();

  async function rollback(reason?: unknown): Promise<void> {
    let broken = isUnanswered(reason) ? asError(reason) : undefined;
    if (!broken) await tx.query(ROLLBACK).catch((error: unknown) => (broken = notRolledBack(error)));
    tx.release(broken);
  }

  async function orRollback(work: Promise<unknown>): Promise<void> {
    try {
      await work;
    } catch (error) {
      await rollback(error);
      throw error;
    }
  }

  const bound =
    maxStandstillMs === null ? '' : `; SET LOCAL idle_in_transaction_session_timeout = ${maxStandstillMs}`;
  await orRollback(tx.query(`BEGIN${bound}`));
  return {
    tx,
    async commit(last, maxMs) {
      const text = last === undefined ? 'COMMIT' : `${last}; COMMIT`;
      const statement: Statement = maxMs === undefined ? { text } : { text, query_timeout: maxMs };
      await orRollback(tx.query(statement));
      tx.release();
    },
    rollback,
  };
}

/** Runs `work` in one transaction (see {@link openTransaction}): committed when it resolves, rolled back when it throws. */
export async function inTransaction<T>(pool: Pool, work: (tx: PoolClient) => Promise<T>): Promise<T> {
  const { tx, commit, rollback } = await openTransaction(pool);
  let result: T;
  try {
    result = await work(tx);
  } catch (error) {
    await rollback(error);
    throw error;
  }
  await commit();
  return result;
}

/**
 * Runs `work` in one transaction whose statements may each take `timeoutMs`, longer than other statements. It is for
 * upkeep that no user waits for.
 */
export async function inPatientTransaction<T>(
  pool: Pool,
  timeoutMs: number,
  work: (tx: Queryable) => Promise<T>,
): Promise<T> {
  return inTransaction(pool, async (tx) => {
    await tx.query(`SET LOCAL statement_timeout = ${timeoutMs}`);
    return work(boundedBy(tx, timeoutMs));
  });
}

/** A client that waits for answers as long as such statements may take. */
export function boundedBy(tx: Queryable, timeoutMs: number): Queryable {
  const patience = { query_timeout: surelyAnsweredMs(timeoutMs) };
  return { query: (statement) => tx.query({ ...statement, ...patience }) };
}

/**
 * The time limit is short, so a missing answer does not prove that the connection fell silent. It says nothing about
 * other connections.
 */
function notRolledBack(error: unknown): Error {
  return isUnanswered(error) ? new Error('Not rolled back in time', { cause: error }) : asError(error);
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}

/** Values for a timestamptz[]. pg would write each Date slowly and in local time. */
export function toTimestamps(instants: readonly Date[]): string[] {
  return instants.map((instant) => instant.toISOString());
}

/** The JSON form of NUL and halves of surrogate pairs, or text that looks like it. */
const REFUSED_ESCAPES = /\\u(?:0000|d[89a-f])/;

/**
 * A value as JSON text that jsonb accepts. A target may answer with NUL characters or half of a surrogate pair, which
 * PostgreSQL refuses in text. Each becomes U+FFFD, so it does not fail the statement of a whole batch.
 */
export function toJsonb(value: unknown): string {
  const text = JSON.stringify(value);
  if (!REFUSED_ESCAPES.test(text)) return text;
  return JSON.stringify(value, (_key, item: unknown) =>
    typeof item === 'string' ? item.replaceAll('\0', '\uFFFD').toWellFormed() : item,
  );
}
