import type { Pool } from 'pg';
import { until } from '../support/until.ts';

/** Generous: covers a lease, the rescuer's interval and the end of a schedule on a busy machine. */
const LIMIT_MS = 60_000;

/** Waits until every execution has ended. */
export async function allEnded(pool: Pool): Promise<void> {
  await noneLeft(pool, 'SELECT FROM job_executions WHERE finished_at IS NULL');
}

/**
 * Waits until every job with an end has passed it, so that all its slots are planned, and until all executions have
 * ended.
 */
export async function schedulesOver(pool: Pool): Promise<void> {
  await noneLeft(pool, `SELECT FROM jobs WHERE end_at IS NOT NULL AND status = 'ACTIVE'`);
  await allEnded(pool);
}

async function noneLeft(pool: Pool, statement: string): Promise<void> {
  const isEmpty = async () => (await pool.query(statement)).rowCount === 0;
  await until(isEmpty, { timeoutMs: LIMIT_MS, what: `no row: ${statement}` });
}

/** An instant this many milliseconds from now, for a schedule's end. */
export function inMs(ms: number): string {
  return new Date(Date.now() + ms).toISOString();
}
