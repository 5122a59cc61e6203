import { insertAuditSql, type NewAuditEntry } from '../events/audit-log.ts';
import { ATTEMPT_OF_JOB, claimedOf, type ClaimedExecution, type ClaimedRow } from './claimed-rows.ts';
import { EVENT_LOG_LOCK } from '../events/event-log.ts';
import { toJsonb, type Queryable } from '../statements/sql.ts';

/** On what terms this instance claims an execution in the statement that makes it. */
export interface ClaimTerms {
  instanceId: string;
  /** The instant of the claim, at which the execution is made. */
  claimedAt: Date;
  leaseExpiresAt: Date;
  /** Hosts at which it has no place: an execution of theirs waits for whoever has one. */
  fullHosts: readonly string[];
}

/**
 * Has a command's statement claim the execution that it makes, and runs, and tells of, what it has claimed.
 *
 * @param executionId a new one, of which nobody else knows
 * @param make is given null where nothing may be claimed: others wait for a place, or nothing runs here
 */
export type ClaimAsMade = <Made extends { claimed: ClaimedExecution | null }>(
  executionId: string,
  make: (terms: ClaimTerms | null) => Promise<Made>,
) => Promise<Made>;

/** A run that somebody asked for, of a job that limits none. */
export interface UnlimitedRun {
  executionId: string;
  jobId: string;
  /** Null for any version of the job. */
  expectedVersion: number | null;
  now: Date;
  /** Replaces the job's body; undefined leaves it. */
  bodyOverride: unknown;
  idempotencyKey: string | null;
  audit: NewAuditEntry;
}

const RUN_UNLIMITED = `
-- run by hand: an execution of a job that limits none, with its audit entry and its events; claimed at once for instance $8,
-- until $9, where the job's host is none of $10. The job is locked, and no execution beside it has to be counted, which would
-- take a second look. It waits for a lock by looking at the job again: one that was limited meanwhile is not found.
-- The body comes as text: JSON's null, which sends no body, would become SQL's, which leaves the job's.
WITH held AS MATERIALIZED (
  SELECT j.id, j.body, j.priority, host_of(j.api) AS host, $8::text IS NOT NULL AND host_of(j.api) <> ALL ($10::text[]) AS starts,
    ${ATTEMPT_OF_JOB.selection}
  FROM jobs AS j
  WHERE j.id = $2 AND j.status <> 'DELETED' AND j.version = coalesce($3, j.version)
    AND j.concurrency_policy = 'ALLOW' AND j.max_concurrency IS NULL
    AND (j.method <> 'HEAD' OR coalesce($6::jsonb, 'null') = 'null')
  FOR NO KEY UPDATE OF j
), ready AS MATERIALIZED (
  -- Who has waited for the job's lock leaves the run to a claim: its lease, and its start, would be those of before.
  SELECT *, starts AND clock_timestamp() < $5::timestamptz + interval '1 s' AS begins FROM held
), made AS (
  INSERT INTO job_executions (id, job_id, status, trigger, created_at, available_at, max_attempts, priority, host,
    body_override, idempotency_key, claim_seq, attempt_count, claimed_by, lease_expires_at, started_at, attempt_started_at)
  SELECT $4, id, CASE WHEN begins THEN 'RUNNING' ELSE 'PENDING' END::execution_status, 'MANUAL', $5, $5,
    1 + coalesce("maxRetries", 0), priority, host, $6::jsonb, $7, begins::int, begins::int,
    CASE WHEN begins THEN $8 END, CASE WHEN begins THEN $9::timestamptz END, CASE WHEN begins THEN $5::timestamptz END,
    CASE WHEN begins THEN $5::timestamptz END
  FROM ready
  ON CONFLICT (job_id, idempotency_key) WHERE idempotency_key IS NOT NULL DO NOTHING
  RETURNING *
), audited AS (
  ${insertAuditSql('$1')} WHERE EXISTS (SELECT FROM made)
  RETURNING 1
), log_lock AS MATERIALIZED (
  SELECT pg_advisory_xact_lock(${EVENT_LOG_LOCK})
  FROM (SELECT (SELECT count(*) FROM made) AS n, (SELECT count(*) FROM audited) AS m) AS done WHERE n > 0
), told AS (
  INSERT INTO event_log (position, at, kind, job_id, execution_id, status, previous_status, attempt, trigger, created_at,
    started_at, instance_id)
  SELECT nextval('event_log_position_seq'), $5, kind, job_id, id, status, previous_status, attempt, 'MANUAL', created_at,
    started_at, claimed_by
  FROM log_lock, (
    SELECT 'EXECUTION_PLANNED'::event_kind AS kind, job_id, id, 'PENDING'::execution_status AS status,
      NULL::execution_status AS previous_status, NULL::int AS attempt, created_at, NULL::timestamptz AS started_at,
      NULL AS claimed_by
    FROM made
    UNION ALL
    SELECT 'EXECUTION_STARTED', job_id, id, status, 'PENDING', attempt_count, created_at, started_at, claimed_by
    FROM made WHERE status = 'RUNNING'
    ORDER BY kind
  ) AS ordered
)
SELECT made.id, job_id AS "jobId", status, trigger, scheduled_at AS "scheduledAt", started_at AS "startedAt",
  attempt_started_at AS "attemptStartedAt", attempt_count AS "attemptCount", retry_count AS "retryCount",
  rescue_count AS "rescueCount", claim_seq AS "claimSeq", made.host, coalesce(body_override, body) AS body,
  ${ATTEMPT_OF_JOB.names}, NULL AS upstream
FROM made, ready`;

/**
 * Makes an execution of a job without limits, claims it where there are terms for that, and writes it down, in one statement,
 * which may be its own transaction.
 *
 * @returns what was claimed: null where it waits for a claim. Undefined where nothing was made: the job is limited, deleted,
 *   not there or of another version, sends no body by its method, or has an execution with the idempotency key
 */
export async function insertUnlimitedRun(
  db: Queryable,
  run: UnlimitedRun,
  terms: ClaimTerms | null,
): Promise<ClaimedExecution | null | undefined> {
  const { rows } = await db.query<ClaimedRow & { status: 'PENDING' | 'RUNNING' }>({
    name: 'run-unlimited',
    text: RUN_UNLIMITED,
    values: [
      toJsonb([run.audit]),
      run.jobId,
      run.expectedVersion,
      run.executionId,
      terms?.claimedAt ?? run.now,
      run.bodyOverride === undefined ? null : toJsonb(run.bodyOverride),
      run.idempotencyKey,
      terms?.instanceId ?? null,
      terms?.leaseExpiresAt ?? null,
      terms?.fullHosts ?? [],
    ],
  });
  const [row] = rows;
  if (!row) return undefined;
  const { status, ...claimed } = row;
  return status === 'RUNNING' ? claimedOf(claimed) : null;
}
