import { appendEventsSql, logLockBehind, OF_EXECUTION } from '../events/append-events.ts';
import {
  ATTEMPT_OF_JOB,
  claimedOfJob,
  type ClaimedExecution,
  type ExecutionOfAttempt,
  type JobOfAttempt,
} from './claimed-rows.ts';
import { setRunning } from './running.ts';
import { eventOf, mayMove } from './transitions.ts';
import type { Queryable } from '../statements/sql.ts';

/** What a claim takes. The backlog has the executions for missed slots, with trigger CATCH_UP. All others are fresh. */
export type ClaimKind = 'fresh' | 'backlog';

export interface ClaimOptions {
  kind: ClaimKind;
  instanceId: string;
  now: Date;
  leaseExpiresAt: Date;
  /** {@link MAX_CLAIM} at most. */
  limit: number;
  /** How many calls this instance has in flight per host, for hosts with any. */
  busyHosts: ReadonlyMap<string, number>;
  /** How many calls this instance may have in flight at one host. */
  hostLimit: number;
  /**
   * How far down the queue to look.
   * - head: no further than the largest claim. This is the cheapest, and enough while a claim can take everything at
   *   the head.
   * - wide: four times as far as the wanted number, because of full hosts and of rows that others have locked.
   * - deep: past all executions of full hosts, however many there are.
   */
  look: 'head' | 'wide' | 'deep';
}

/** The most executions of one claim. */
export const MAX_CLAIM = 200;

/**
 * How far down the queue a claim looks. It is a constant of the statement, and only the deep statement names hosts.
 * With parameters, PostgreSQL's plan for all values would read and sort the whole queue each time.
 */
const LOOKS = { short: MAX_CLAIM, long: 4 * MAX_CLAIM } as const;

const claimStatement = (kind: ClaimKind, look: number, isDeep: boolean): string => `
-- claim: take up to $4 due executions for instance $1 at $2, leased until $3, and tell the log that they started.
-- The lease is as long by the database's clock, so a claim of an instance that has slept is not rescued at once.
-- IS FALSE and IS TRUE, not a comparison or NOT: the planner needs them to see the order of the claim's index.
-- SKIP LOCKED lets instances pass each other instead of queueing up on the same rows.
-- Materialized CTEs, not joined subqueries: the planner may run a subquery's LIMIT twice and claim more than $4.
-- No host gets more of the batch than it has free places, so a host that hangs cannot fill it. $5 are skipped hosts.
-- CASE reads the upstream only for requests that may use it.
-- After the executions come their jobs as JSON, each once, because bodies may be large. The order of the executions
-- stays: the parts of a UNION ALL come one after the other, and a writing statement never runs in parallel.
WITH candidate AS MATERIALIZED (
  SELECT id, host, priority, available_at FROM job_executions
  WHERE ${mayMove('claim')} AND (trigger = 'CATCH_UP') IS ${kind === 'backlog' ? 'TRUE' : 'FALSE'}
    AND available_at <= $2 AND ${isDeep ? 'host <> ALL($5::text[])' : '$5::text[] IS NOT NULL'}
  ORDER BY priority DESC, available_at, id
  LIMIT ${look}
), placed AS MATERIALIZED (
  SELECT c.*, row_number() OVER (PARTITION BY c.host ORDER BY c.priority DESC, c.available_at, c.id) AS place,
    coalesce(busy.calls, 0) AS calls
  FROM candidate AS c LEFT JOIN unnest($6::text[], $7::int[]) AS busy(host, calls) ON busy.host = c.host
), due AS MATERIALIZED (
  SELECT e.id, e.status FROM (
    SELECT id FROM placed WHERE calls + place <= $8 ORDER BY priority DESC, available_at, id
  ) AS p, LATERAL (
    -- LATERAL and the status as text force the planner to look each candidate up by its id. With old statistics a
    -- join would read the whole backlog for each candidate, which takes seconds.
    SELECT id, status FROM job_executions
    WHERE id = p.id AND ${mayMove('claim', 'status::text')} AND available_at <= $2
    FOR NO KEY UPDATE SKIP LOCKED
  ) AS e
  LIMIT $4
), claimed AS (
  UPDATE job_executions AS e
  SET ${setRunning({ instanceId: '$1', claimedAt: '$2', leaseExpiresAt: '$3' })},
      max_attempts = e.attempt_count + 1 + greatest(coalesce(j.max_retries, 0) - e.retry_count, 0)
  FROM due, jobs AS j
  -- The id is named twice: with the array the planner finds each row by its id. With the join alone it would read a
  -- whole table of some ten thousand rows.
  WHERE e.id = ANY (ARRAY(SELECT id FROM due)) AND e.id = due.id AND j.id = e.job_id
  RETURNING e.id, e.job_id, e.status, e.trigger, e.created_at, e.scheduled_at, e.available_at, e.priority, e.started_at,
    e.attempt_started_at, e.attempt_count, e.retry_count, e.rescue_count, e.claim_seq, e.claimed_by, e.lateness_ms, e.host,
    e.body_override, due.status AS previous_status
), ${logLockBehind('claimed')}, appended AS (
  ${appendEventsSql(
    {
      ...OF_EXECUTION,
      at: '$2::timestamptz',
      kind: `${eventOf('claim')}::event_kind`,
      previousStatus: 'previous_status',
      attempt: 'attempt_count',
      startedAt: 'started_at',
      latenessMs: 'lateness_ms',
      instanceId: 'claimed_by',
    },
    'claimed',
  )}
)
(
  SELECT id, job_id AS "jobId", trigger, scheduled_at AS "scheduledAt", nullif(started_at, $2) AS "startedBefore",
    attempt_count AS "attemptCount", retry_count AS "retryCount", rescue_count AS "rescueCount", claim_seq AS "claimSeq",
    host, body_override IS NOT NULL AS "replacesBody", body_override AS body,
    CASE WHEN trigger IN ('DEPENDENCY', 'REDRIVE') AND (
      SELECT concat(j.api, j.headers::text, coalesce(body_override, j.body)::text) LIKE '%{{%'
      FROM jobs AS j WHERE j.id = claimed.job_id
    ) THEN (
      SELECT jsonb_build_object('executionId', u.id, 'jobId', u.job_id, 'status', u.status,
        'responseStatus', u.response_status, 'body', u.response_body)
      FROM job_execution_triggers AS t JOIN job_executions AS u ON u.id = t.triggered_by_id
      WHERE t.execution_id = claimed.id
      ORDER BY u.finished_at DESC, u.id DESC LIMIT 1
    ) END AS upstream,
    NULL::json AS job
  FROM claimed
  ORDER BY priority DESC, available_at, id
)
UNION ALL
SELECT NULL, job_id, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, json
FROM (SELECT DISTINCT job_id FROM claimed) AS c,
  LATERAL (SELECT ${ATTEMPT_OF_JOB.json} AS json FROM jobs AS j WHERE j.id = c.job_id OFFSET 0) AS j`;

/** A row of an execution, or a row with a job's fields. */
type ClaimAnswer =
  | (ExecutionOfAttempt & {
      /** Null when this is its start. */
      startedBefore: Date | null;
      replacesBody: boolean;
      body: unknown;
      job: null;
    })
  | { id: null; jobId: string; job: unknown[] };

/**
 * Takes due executions for this instance: PENDING or RETRYING becomes RUNNING under a lease, `claimSeq` rises, and
 * the log says STARTED, all in one statement.
 */
export async function claimDue(db: Queryable, options: ClaimOptions): Promise<ClaimedExecution[]> {
  const isShort = options.look === 'head' || 4 * options.limit <= LOOKS.short;
  const look = isShort ? LOOKS.short : LOOKS.long;
  const isDeep = options.look === 'deep';
  const { rows } = await db.query<ClaimAnswer>({
    name: `claim-${options.kind}-${look}${isDeep ? '-deep' : ''}`,
    text: claimStatement(options.kind, look, isDeep),
    values: [
      options.instanceId,
      options.now,
      options.leaseExpiresAt,
      options.limit,
      isDeep ? fullHosts(options) : [],
      [...options.busyHosts.keys()],
      [...options.busyHosts.values()],
      options.hostLimit,
    ],
  });
  return claimedOfAnswer(rows, options.now);
}

function claimedOfAnswer(rows: readonly ClaimAnswer[], now: Date): ClaimedExecution[] {
  const jobs = new Map<string, JobOfAttempt>();
  for (const { jobId, job } of rows) if (job !== null) jobs.set(jobId, ATTEMPT_OF_JOB.read(job));
  return rows.flatMap((row) => {
    if (row.id === null) return [];
    const job = jobs.get(row.jobId);
    // After this error, the search for lost claims gives the execution back.
    if (!job) throw new Error(`Execution ${row.id} was claimed without its job`);
    return claimedOfJob(row, job, {
      startedAt: row.startedBefore ?? now,
      attemptStartedAt: now,
      body: row.replacesBody ? row.body : job.body,
    });
  });
}

export const NEXT_AVAILABLE = `
-- next available: when the next execution of each kind may be claimed. It takes one step in the claim's index for
-- each priority. With an index by time alone, the planner might sort the backlog for claims.
WITH RECURSIVE level (is_backlog, priority) AS (
  SELECT is_backlog, (
    SELECT priority FROM job_executions
    WHERE ${mayMove('claim')} AND (trigger = 'CATCH_UP') = is_backlog
    ORDER BY priority DESC LIMIT 1
  ) FROM (VALUES (false), (true)) AS kind(is_backlog)
  UNION ALL
  SELECT is_backlog, (
    SELECT priority FROM job_executions
    WHERE ${mayMove('claim')} AND (trigger = 'CATCH_UP') = level.is_backlog AND priority < level.priority
    ORDER BY priority DESC LIMIT 1
  ) FROM level WHERE priority IS NOT NULL
), earliest AS (
  SELECT is_backlog, (
    SELECT available_at FROM job_executions
    WHERE ${mayMove('claim')} AND (trigger = 'CATCH_UP') = level.is_backlog
      AND priority = level.priority
    ORDER BY available_at LIMIT 1
  ) AS at FROM level
)
SELECT min(at) FILTER (WHERE NOT is_backlog) AS "fresh", min(at) FILTER (WHERE is_backlog) AS "backlog" FROM earliest`;

/** When the next execution of each kind may be claimed; null when none waits. */
export async function nextAvailableAt(db: Queryable): Promise<Record<ClaimKind, Date | null>> {
  const { rows } = await db.query<Record<ClaimKind, Date | null>>({
    name: 'next-available',
    text: NEXT_AVAILABLE,
  });
  return rows[0] ?? { fresh: null, backlog: null };
}

/** The hosts without a free place on this instance. */
export function fullHosts({ busyHosts, hostLimit }: Pick<ClaimOptions, 'busyHosts' | 'hostLimit'>): string[] {
  return [...busyHosts].filter(([, calls]) => calls >= hostLimit).map(([host]) => host);
}
