import type { Pool } from 'pg';
import { inTransaction } from '../statements/sql.ts';

/**
 * This is longer than ordinary locks last. It is shorter than the second after which PostgreSQL looks for deadlocks.
 * So a migration that waits for one of these tables while the probe waits for another does not fail.
 */
const LOCK_TIMEOUT_MS = 700;

/**
 * probe-write: the locks that the scheduler's writes take, on the tables that every execution passes through. With so
 * little memory PostgreSQL writes a list of numbers to a file, which fails on a full disk. An update alone may find
 * room in an existing page.
 */
const TAKE_LOCKS = `
SET LOCAL lock_timeout = ${LOCK_TIMEOUT_MS};
SET LOCAL work_mem = '64kB';
LOCK TABLE jobs, job_executions, job_execution_attempts, job_execution_logs, event_log, scheduler_metadata
  IN ROW EXCLUSIVE MODE`;
const WRITE = `
WITH own_row AS (
  UPDATE scheduler_metadata SET last_heartbeat_at = last_heartbeat_at WHERE instance_id = $1
)
SELECT count(*) FROM generate_series(1, 20000)`;

/** Writes and commits without a change, in the same way as the scheduler. Rejects with the reason when it cannot. */
export async function probeWrite(pool: Pool, instanceId: string, answerTimeoutMs: number): Promise<void> {
  await inTransaction(pool, async (tx) => {
    const inTime = { query_timeout: answerTimeoutMs };
    await tx.query({ text: TAKE_LOCKS, ...inTime });
    await tx.query({ text: WRITE, values: [instanceId], ...inTime });
  });
}
