import type { DueJob, JobMove, PlannedExecution } from '../../domain/schedule/plan.ts';
import { appendEventsSql, logLockBehind, OF_EXECUTION } from '../events/append-events.ts';
import { countEnds } from '../metrics/rollups.ts';
import { insertExecutionsSql } from './insert-executions.ts';
import type { Queryable } from '../statements/sql.ts';
import { toJsonb } from '../statements/sql.ts';

/** The columns of a job that planning needs. */
const DUE_JOB = `id, schedule, timezone, run_at AS "runAt", start_at AS "startAt", end_at AS "endAt", created_at AS "createdAt",
  jitter_ms AS "jitterMs", misfire_policy AS "misfirePolicy", misfire_grace_ms AS "misfireGraceMs",
  dst_gap_policy AS "dstGapPolicy", dst_overlap_policy AS "dstOverlapPolicy", priority,
  concurrency_policy AS "concurrencyPolicy", max_concurrency AS "maxConcurrency", max_retries AS "maxRetries",
  next_run_at AS "nextRunAt",
  ARRAY(SELECT e.scheduled_at FROM job_executions AS e
    WHERE e.job_id = jobs.id AND e.skip_reason = 'OPERATOR' AND e.scheduled_at >= jobs.next_run_at) AS "skipped",
  EXISTS (SELECT FROM job_dependencies WHERE job_id = jobs.id) AS "hasDependencies"`;

const LOCK_DUE_JOBS = `
-- lock up to $3 jobs that became due after $1 and up to $2, earliest first, but for $4. SKIP LOCKED: another instance's
-- batch is its own.
-- NO KEY UPDATE, not UPDATE: settling inserts rows that refer to these jobs, and checks them under the event log's
-- lock. The planner needs that lock later, so a full lock here could cause a deadlock.
-- A skipped slot has its execution already. Reading it here excludes it from the plan, so it does not become the one
-- run for all missed slots and replaces no running execution.
-- The subquery locks first and reads the other columns later, because another instance may hold a thousand of the
-- jobs until their slots come.
SELECT ${DUE_JOB}
FROM (
  SELECT * FROM jobs
  WHERE next_run_at > $1 AND next_run_at <= $2 AND id <> ALL($4::uuid[]) AND ($5::uuid IS NULL OR id = $5)
  ORDER BY next_run_at
  LIMIT $3
  FOR NO KEY UPDATE SKIP LOCKED
) AS jobs
ORDER BY next_run_at`;

/** The jobs whose next run lies after `after` and not after `until`. */
export interface DueRange {
  after: Date;
  until: Date;
  /** Jobs to exclude. */
  except: readonly string[];
  /** The only job to plan; null for all. */
  only: string | null;
}

/** Locks a batch of due jobs until the end of the transaction. */
export async function lockDueJobs(
  tx: Queryable,
  { after, until, except, only }: DueRange,
  limit: number,
): Promise<DueJob[]> {
  const { rows } = await tx.query<DueJob & Record<string, unknown>>({
    name: 'lock-due-jobs',
    text: LOCK_DUE_JOBS,
    values: [after, until, limit, except, only],
  });
  return rows;
}

/** The next work of the planner; null when there is none. */
export interface NextPlanning {
  /** The earliest next run of a job that is not excluded. */
  runAt: Date | null;
  /** The earliest end of a pause. */
  pauseEndsAt: Date | null;
}

/** Jobs that do not count for the next work. */
export interface NotCounted {
  /** Jobs whose runs do not count. */
  except: readonly string[];
  /** Jobs whose runs from `from` on do not count. A sooner run counts, because the job has changed. */
  prefetched: { jobIds: readonly string[]; from: Date | null };
}

export async function nextPlanning(db: Queryable, { except, prefetched }: NotCounted): Promise<NextPlanning> {
  const { rows } = await db.query<NextPlanning & Record<string, unknown>>({
    name: 'next-planning',
    text: `
SELECT (SELECT min(next_run_at) FROM jobs
    WHERE next_run_at IS NOT NULL AND id <> ALL($1::uuid[]) AND (next_run_at < $3 OR id <> ALL($2::uuid[]))) AS "runAt",
  (SELECT min(paused_until) FROM jobs WHERE paused_until IS NOT NULL) AS "pauseEndsAt"`,
    values: [except, prefetched.jobIds, prefetched.from],
  });
  return rows[0] ?? { runAt: null, pauseEndsAt: null };
}

/** A job that is due soon, as it is now. */
export interface UpcomingJob extends DueJob {
  version: number;
  /** Host and port of its URL. */
  host: string;
}

export const UPCOMING_JOB = `${DUE_JOB}, version, host_of(api) AS host`;

/** Jobs that are due soon, as they are now, without locks. */
export interface Upcoming {
  /** In the order of their next runs. */
  jobs: UpcomingJob[];
  /** The next work without these jobs; null when there are no jobs and it was not read. */
  apart: NextPlanning | null;
}

const READ_UPCOMING = `
-- upcoming: the jobs that are due at $1 or before, but for $2; and what comes next apart from them.
-- The subquery chooses the jobs first. Otherwise PostgreSQL computes the host of every due job before it sorts them.
SELECT ${UPCOMING_JOB},
  (SELECT min(next_run_at) FROM jobs WHERE next_run_at > $1 AND id <> ALL($2::uuid[])) AS "laterRunAt",
  (SELECT min(paused_until) FROM jobs WHERE paused_until IS NOT NULL) AS "pauseEndsAt"
FROM (
  SELECT * FROM jobs
  WHERE next_run_at <= $1 AND id <> ALL($2::uuid[])
  ORDER BY next_run_at, priority DESC, id
  LIMIT $3
) AS jobs
ORDER BY next_run_at, priority DESC, id`;

/**
 * Reads the jobs that are due up to an instant, in the order of their slots. At one instant, higher priorities come
 * first.
 *
 * @param except jobs to exclude
 */
export async function readUpcoming(
  db: Queryable,
  until: Date,
  { except, limit }: { except: readonly string[]; limit: number },
): Promise<Upcoming> {
  type Row = UpcomingJob & { laterRunAt: Date | null; pauseEndsAt: Date | null };
  const { rows } = await db.query<Row & Record<string, unknown>>({
    name: 'upcoming',
    text: READ_UPCOMING,
    values: [until, except, limit],
  });
  const last = rows.at(-1);
  if (!last) return { jobs: [], apart: null };
  // When the read is full, further jobs may be due together with the last one.
  const runAt = rows.length < limit ? last.laterRunAt : last.nextRunAt;
  return { jobs: rows, apart: { runAt, pauseEndsAt: last.pauseEndsAt } };
}

const RECORD_PLAN = `
-- record a plan: insert the executions, move the jobs on, and tell the log, in one statement.
-- DO NOTHING: the first plan of a slot wins. A second plan of it, after a failover or by an instance that was frozen,
-- adds no row and no event.
WITH planned AS (
  ${insertExecutionsSql(
    {
      id: 'p.id',
      jobId: 'p."jobId"',
      status: 'p.status',
      trigger: 'p.trigger',
      scheduledAt: 'p."scheduledAt"',
      createdAt: '$3::timestamptz',
      availableAt: 'p."availableAt"',
      priority: 'p.priority',
      host: '(SELECT host_of(api) FROM jobs WHERE id = p."jobId")',
      maxAttempts: 'p."maxAttempts"',
      slotCount: 'p."slotCount"',
      skip: { reason: 'p."skipReason"', errorMessage: 'p."errorMessage"' },
    },
    `jsonb_to_recordset($1::jsonb) AS p(id uuid, "jobId" uuid, status execution_status, trigger execution_trigger,
    "scheduledAt" timestamptz, "availableAt" timestamptz, priority int, "maxAttempts" int, "slotCount" int,
    "skipReason" skip_reason, "errorMessage" text)`,
  )}
  ON CONFLICT DO NOTHING
  RETURNING id, job_id, status, trigger, scheduled_at, created_at, available_at, finished_at, error_message
), moved AS (
  UPDATE jobs AS j
  SET next_run_at = m."nextRunAt", status = m.status,
      version = j.version + (m.status = 'COMPLETED')::int,
      updated_at = CASE WHEN m.status = 'COMPLETED' THEN $3 ELSE j.updated_at END
  FROM jsonb_to_recordset($2::jsonb) AS m(id uuid, "nextRunAt" timestamptz, status job_status)
  WHERE j.id = m.id
  RETURNING j.id, j.key, j.name, j.status, j.shown_api, j.created_at
), ${logLockBehind('planned', `moved WHERE status = 'COMPLETED'`)}, counted AS (
  ${countEnds(`SELECT job_id, status, finished_at AS at, NULL::int AS duration_ms, NULL::int AS lateness_ms
    FROM log_lock, planned WHERE status = 'SKIPPED'`)}
), job_events AS (
  ${appendEventsSql(
    {
      at: '$3',
      kind: `'JOB_COMPLETED'`,
      jobId: 'id',
      data: `jsonb_build_object('key', key, 'name', name, 'status', status, 'api', shown_api, 'nextRunAt', NULL,
      'createdAt', created_at, 'tags', ARRAY(
        SELECT t.name FROM job_tag_associations AS a JOIN job_tags AS t ON t.id = a.tag_id WHERE a.job_id = moved.id
        ORDER BY t.name COLLATE "C"))`,
    },
    `moved WHERE status = 'COMPLETED'`,
  )}
)
${appendEventsSql(
  {
    ...OF_EXECUTION,
    at: '$3',
    kind: `(CASE status WHEN 'SKIPPED' THEN 'EXECUTION_SKIPPED' ELSE 'EXECUTION_PLANNED' END)::event_kind`,
    finishedAt: 'finished_at',
    errorMessage: 'error_message',
  },
  '(SELECT * FROM planned ORDER BY available_at, id) AS ordered',
)}
RETURNING execution_id`;

/**
 * Writes the plans of jobs that the planner has locked.
 *
 * @returns how many executions were new
 */
export async function recordPlan(
  tx: Queryable,
  plan: { executions: readonly PlannedExecution[]; moves: readonly JobMove[]; now: Date },
): Promise<number> {
  const { rowCount } = await tx.query({
    name: 'record-plan',
    text: RECORD_PLAN,
    values: [toJsonb(plan.executions), toJsonb(plan.moves), plan.now],
  });
  return rowCount ?? 0;
}
