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
  /** How long to wait for the answer; the pool says it where this does not. */
  query_timeout?: number;
}

/**
 * How long a transaction may stand still between two statements. A process that is frozen, or cut off without a word,
 * in the middle of one holds rows and perhaps the event log's lock, and with that every other instance: PostgreSQL ends
 * its session after this. Far longer than anything that is computed between two statements.
 */
const MAX_STANDSTILL_MS = 10_000;

/** Gives up what was written, where it can; its answer is worth no long wait, since the server does so by itself. */
const ROLLBACK = { text: 'ROLLBACK', query_timeout: 2_000 };

/** A transaction that is open: one of its ends must be called, once. */
export interface OpenTransaction {
  tx: PoolClient;
  /**
   * @param last a statement without parameters that is sent together with the commit: what it locks is held for no longer
   *   than the server needs
   * @param maxMs how long to wait for the answer; the pool says it where this does not
   * @throws where it was not committed, and, with an error of `isAway`, where that is not known
   */
  commit: (last?: string, maxMs?: number) => Promise<void>;
  /**
   * Never throws.
   *
   * @param reason what failed, where that is why
   */
  rollback: (reason?: unknown) => Promise<void>;
}

/**
 * Opens a transaction, which the database ends when it stands still for longer than it may.
 *
 * A connection that cannot even roll back, or that has fallen silent, is closed rather than handed to the next caller
 * with an open transaction in it.
 *
 * @param maxStandstillMs for how long it may stand still; null where its first statement says that, before which it holds nothing
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
 * Runs `work` in one transaction whose statements may take as long as `timeoutMs` each, which is longer than others may:
 * for upkeep that nobody waits for.
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

/** A client that waits for answers as befits a transaction whose statements may take so long. */
export function boundedBy(tx: Queryable, timeoutMs: number): Queryable {
  const patience = { query_timeout: surelyAnsweredMs(timeoutMs) };
  return { query: (statement) => tx.query({ ...statement, ...patience }) };
}

/** Without an answer in so short a time a connection need not have fallen silent, and says nothing of others. */
function notRolledBack(error: unknown): Error {
  return isUnanswered(error) ? new Error('Not rolled back in time', { cause: error }) : asError(error);
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}

/** Values for a timestamptz[]: pg would write each Date in local time, piece by piece. */
export function toTimestamps(instants: readonly Date[]): string[] {
  return instants.map((instant) => instant.toISOString());
}

/** As JSON spells NUL and halves of surrogate pairs; or a text that only looks like it. */
const REFUSED_ESCAPES = /\\u(?:0000|d[89a-f])/;

/**
 * A value as JSON text that jsonb accepts: a target may answer with NUL characters or half of a surrogate pair,
 * which PostgreSQL refuses in text; each becomes U+FFFD instead of failing the statement of a whole batch.
 */
export function toJsonb(value: unknown): string {
  const text = JSON.stringify(value);
  if (!REFUSED_ESCAPES.test(text)) return text;
  return JSON.stringify(value, (_key, item: unknown) =>
    typeof item === 'string' ? item.replaceAll('\0', '\uFFFD').toWellFormed() : item,
  );
}
