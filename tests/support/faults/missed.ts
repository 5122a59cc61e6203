import type { Pool } from 'pg';

/** What became of the slots that a job has missed. */
export type Missed = {
  policy: 'RUN_ONCE' | 'RUN_ALL' | 'SKIP';
  schedule: string;
  /** Slots that ran late to make up for it. */
  caughtUp: number;
  /** The most slots that one of these stands for. */
  standsFor: number;
  /** Rows that record slots as skipped. */
  ranges: number;
  /** Slots in them. */
  skipped: number;
  /** What the last of those rows says. */
  message: string | null;
  /** No slot made up for began before an older one. */
  serializeCalls: boolean;
  /** What ran as on time was within its grace when it was planned, and all else was not. */
  asGraceSays: boolean;
};

/** One for each job that has missed any. */
export async function readMissed(pool: Pool): Promise<Missed[]> {
  const { rows } = await pool.query<Missed>(`
    SELECT j.misfire_policy AS policy, j.schedule,
      count(*) FILTER (WHERE trigger = 'CATCH_UP')::int AS "caughtUp",
      coalesce(max(slot_count) FILTER (WHERE trigger = 'CATCH_UP'), 0) AS "standsFor",
      count(*) FILTER (WHERE skip_reason = 'MISFIRE')::int AS ranges,
      coalesce(sum(slot_count) FILTER (WHERE skip_reason = 'MISFIRE'), 0)::int AS skipped,
      max(error_message) FILTER (WHERE skip_reason = 'MISFIRE') AS message,
      bool_and(began_after_older) AS "serializeCalls",
      bool_and(is_missed = (trigger = 'CATCH_UP' OR e.status = 'SKIPPED')) AS "asGraceSays"
    FROM jobs AS j, LATERAL (
      SELECT *, trigger <> 'CATCH_UP' OR started_at >= coalesce(lag(started_at) OVER older, started_at) AS began_after_older,
        scheduled_at < created_at - j.misfire_grace_ms * interval '1 ms' AS is_missed
      FROM job_executions WHERE job_id = j.id
      WINDOW older AS (PARTITION BY trigger ORDER BY scheduled_at)
    ) AS e
    GROUP BY j.id HAVING bool_or(is_missed)`);
  return rows;
}
