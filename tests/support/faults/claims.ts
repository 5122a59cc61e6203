import type { Pool } from 'pg';

/** How many executions an instance has claimed and not settled. */
export async function heldBy(pool: Pool, instanceId: string): Promise<number> {
  const { rows } = await pool.query<{ held: number }>(
    `SELECT count(*)::int AS held FROM job_executions WHERE status = 'RUNNING' AND claimed_by = $1`,
    [instanceId],
  );
  return rows[0]?.held ?? 0;
}

/**
 * What an instance had under way when it was killed: what nobody has taken from it yet, and what somebody has. On a busy
 * machine its leases may be over before anybody can look.
 */
export async function heldAtDeath(pool: Pool, instanceId: string): Promise<number> {
  const { rows } = await pool.query<{ held: number }>(
    `SELECT ((SELECT count(*) FROM job_executions
        WHERE status = 'RUNNING' AND claimed_by = $1 AND callback_deadline_at IS NULL)
      + (SELECT count(*) FROM event_log WHERE instance_id = $1 AND failure_reason = 'INSTANCE_LOST'))::int AS held`,
    [instanceId],
  );
  return rows[0]?.held ?? 0;
}

/** A claim that ended without an outcome, and when the execution was claimed again. */
export type Interruption = {
  executionId: string;
  instanceId: string;
  /** Null where it was not. */
  reclaimedAt: Date | null;
};

/** All of them, as the event log tells, but for claims given back before a call: those have one attempt less than began. */
export async function interruptions(pool: Pool): Promise<Interruption[]> {
  const { rows } = await pool.query<Interruption>(`
    SELECT i.execution_id AS "executionId", i.instance_id AS "instanceId", min(s.at) AS "reclaimedAt"
    FROM event_log AS i LEFT JOIN event_log AS s ON s.execution_id = i.execution_id
      AND s.position > i.position AND s.kind = 'EXECUTION_STARTED'
    WHERE i.kind = 'EXECUTION_INTERRUPTED' AND i.attempt = (
      SELECT b.attempt FROM event_log AS b
      WHERE b.execution_id = i.execution_id AND b.position < i.position AND b.kind = 'EXECUTION_STARTED'
      ORDER BY b.position DESC LIMIT 1)
    GROUP BY i.position, i.execution_id, i.instance_id ORDER BY i.position`);
  return rows;
}
