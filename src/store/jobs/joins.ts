import { type ConcurrencyRule, isLimited } from '../../domain/job/concurrency.ts';
import {
  decideJoins,
  type JoinedRun,
  type JoinEdge,
  type JoinJob,
  type RunEnd,
} from '../../domain/workflow/dependency.ts';
import { type Admitted, admitExecution } from '../executions/admission.ts';
import type { NewEvent } from '../events/append-events.ts';
import { insertExecutionsSql } from '../executions/insert-executions.ts';
import type { Queryable } from '../statements/sql.ts';
import { toJsonb } from '../statements/sql.ts';
import { REPLACEABLE } from '../executions/withdrawing.ts';

/** A locked job without slots that waits for others, with the fields that its executions take. */
export interface LockedJoin extends JoinJob, ConcurrencyRule {
  priority: number;
  maxRetries: number | null;
}

const LOCK_JOINS = `
-- lock the jobs that run by the end of any of the executions $1. When two upstreams of one join end at the same time,
-- they decide one after the other, and the second sees the first one's marks.
-- Jobs are locked before executions, and in the order of ids. NO KEY UPDATE, not UPDATE: settling inserts rows that
-- refer to these jobs and checks them under the event log's lock.
SELECT j.id, j.status, j.start_at AS "startAt", j.end_at AS "endAt", j.priority, j.max_retries AS "maxRetries",
  j.concurrency_policy AS "concurrencyPolicy", j.max_concurrency AS "maxConcurrency"
FROM jobs AS j
WHERE j.id IN (SELECT d.job_id FROM job_executions AS e JOIN job_dependencies AS d ON d.depends_on_id = e.job_id
               WHERE e.id = ANY($1::uuid[]))
  AND j.schedule IS NULL AND j.run_at IS NULL
ORDER BY j.id
FOR NO KEY UPDATE OF j`;

const LOCK_REPLACEABLE = `
-- lock the executions $1 and those that a run of the jobs $2 may replace, all in the order of ids. Two separate locks
-- could deadlock with other transactions that lock several executions.
SELECT FROM job_executions
WHERE id = ANY($1::uuid[])
  OR job_id = ANY($2::uuid[]) AND ${REPLACEABLE}
ORDER BY id
FOR NO KEY UPDATE`;

/**
 * Locks the joins behind executions that end soon. Must be the first lock of the transaction.
 *
 * A job that begins to wait for one of them later is not locked: for it, these ends came before.
 */
export async function lockJoinsBehind(tx: Queryable, executionIds: readonly string[]): Promise<LockedJoin[]> {
  const { rows: joins } = await tx.query<LockedJoin & Record<string, unknown>>({
    name: 'lock-joins',
    text: LOCK_JOINS,
    values: [executionIds],
  });
  const replacing = joins.filter(({ concurrencyPolicy }) => concurrencyPolicy === 'REPLACE');
  if (replacing.length > 0) {
    await tx.query({
      name: 'lock-replaceable',
      text: LOCK_REPLACEABLE,
      values: [executionIds, replacing.map(({ id }) => id)],
    });
  }
  return joins;
}

const READ_EDGES = `
-- all edges of locked joins. It is a separate statement, so its snapshot is newer than the locks.
SELECT id, job_id AS "jobId", depends_on_id AS "dependsOnId", condition, satisfied_by_execution_id AS "satisfiedBy"
FROM job_dependencies WHERE job_id = ANY($1::uuid[])
ORDER BY job_id, created_at, id`;

const MARK_EDGES = `
-- mark edges as satisfied or used. Only the transaction with the job's lock writes edges, so this statement never
-- waits.
UPDATE job_dependencies AS d SET satisfied_by_execution_id = m."satisfiedBy", satisfied_at = m."satisfiedAt"
FROM jsonb_to_recordset($1::jsonb) AS m(id uuid, "satisfiedBy" uuid, "satisfiedAt" timestamptz)
WHERE d.id = m.id`;

const INSERT_RUNS = `
-- insert runs of joins, with their upstream executions.
WITH upstream AS MATERIALIZED (
  -- An earlier upstream execution may be pruned already. The lock keeps the others until the commit.
  -- SKIP LOCKED: an execution that is being pruned counts as gone, and its pruner may wait for one of our edges.
  SELECT e.id FROM job_executions AS e
  WHERE e.id IN (SELECT t."triggeredById" FROM jsonb_to_recordset($2::jsonb) AS t("triggeredById" uuid))
  FOR KEY SHARE SKIP LOCKED
), planned AS (
  ${insertExecutionsSql(
    {
      id: 'r.id',
      jobId: 'r."jobId"',
      status: 'r.status',
      trigger: `'DEPENDENCY'`,
      createdAt: 'r.at',
      availableAt: 'r.at',
      priority: 'r.priority',
      host: '(SELECT host_of(api) FROM jobs WHERE id = r."jobId")',
      maxAttempts: 'r."maxAttempts"',
      skip: { reason: `'OVERLAP'::skip_reason`, errorMessage: 'r."errorMessage"' },
    },
    `jsonb_to_recordset($1::jsonb) AS r(id uuid, "jobId" uuid, status execution_status, at timestamptz, priority int,
    "maxAttempts" int, "errorMessage" text)`,
  )}
)
INSERT INTO job_execution_triggers (execution_id, triggered_by_id)
SELECT t."executionId", t."triggeredById"
FROM jsonb_to_recordset($2::jsonb) AS t("executionId" uuid, "triggeredById" uuid)
JOIN upstream ON upstream.id = t."triggeredById"`;

/** The effects of ended runs. */
export interface SetOff {
  events: NewEvent[];
  /** Calls in flight must stop for new runs. */
  isReplacing: boolean;
}

/**
 * Records what ended runs mean for the joins behind them. It marks edges as satisfied or used, and inserts runs as
 * each job's concurrency policy allows.
 *
 * Call it in the transaction that records the ends, after {@link lockJoinsBehind} and before the event log's lock.
 * The transaction must have locked the ended executions.
 *
 * @param newId creates the id of a run
 * @returns the events to append; if there are any, the caller wakes the workers, and after a replacement the lease
 *   keepers
 */
export async function recordEnds(
  tx: Queryable,
  joins: readonly LockedJoin[],
  ends: readonly RunEnd[],
  newId: (now: Date) => string,
): Promise<SetOff> {
  if (joins.length === 0 || ends.length === 0) return { events: [], isReplacing: false };
  const { rows: edges } = await tx.query<JoinEdge & Record<string, unknown>>({
    name: 'read-join-edges',
    text: READ_EDGES,
    values: [joins.map(({ id }) => id)],
  });
  const { marks, runs } = decideJoins(joins, edges, ends);
  if (marks.length > 0) await tx.query({ name: 'mark-edges', text: MARK_EDGES, values: [toJsonb(marks)] });

  const byId = new Map(joins.map((join) => [join.id, join]));
  const planned = runs.map((run) => plannedRun(run, byId, newId));
  const free = planned.filter(({ join }) => !isLimited(join));
  await insertRuns(tx, free);
  const events = free.map(eventOf);
  let isReplacing = false;
  // One after the other, so each counts those before it.
  for (const run of planned.filter(({ join }) => isLimited(join))) {
    const { events: replaced, ...admitted } = await admitExecution(tx, run.join, run.at);
    const admittedRun = { ...run, ...admitted };
    await insertRuns(tx, [admittedRun]);
    events.push(...replaced, eventOf(admittedRun));
    isReplacing ||= admitted.isReplacing;
  }
  return { events, isReplacing };
}

/** A run on its way into the table. */
interface PlannedRun extends JoinedRun, Omit<Admitted, 'events' | 'isReplacing'> {
  id: string;
  join: LockedJoin;
}

function plannedRun(
  run: JoinedRun,
  joins: ReadonlyMap<string, LockedJoin>,
  newId: (now: Date) => string,
): PlannedRun {
  const join = joins.get(run.jobId);
  if (!join) throw new Error('A run was decided for a job that is not locked');
  return { ...run, join, id: newId(run.at), status: 'PENDING', errorMessage: null };
}

async function insertRuns(tx: Queryable, runs: readonly PlannedRun[]): Promise<void> {
  if (runs.length === 0) return;
  const executions = runs.map(({ id, jobId, status, at, errorMessage, join: { priority, maxRetries } }) => ({
    id,
    jobId,
    status,
    at,
    errorMessage,
    priority,
    maxAttempts: 1 + (maxRetries ?? 0),
  }));
  const triggers = runs.flatMap(({ id, triggeredBy }) =>
    triggeredBy.map((triggeredById) => ({ executionId: id, triggeredById })),
  );
  await tx.query({
    name: 'insert-joined-runs',
    text: INSERT_RUNS,
    values: [toJsonb(executions), toJsonb(triggers)],
  });
}

function eventOf({ id, jobId, status, at, errorMessage }: PlannedRun): NewEvent {
  return {
    at,
    kind: status === 'SKIPPED' ? 'EXECUTION_SKIPPED' : 'EXECUTION_PLANNED',
    jobId,
    executionId: id,
    status,
    trigger: 'DEPENDENCY',
    createdAt: at,
    finishedAt: status === 'SKIPPED' ? at : null,
    errorMessage,
  };
}
