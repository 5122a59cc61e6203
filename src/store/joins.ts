import {
  decideJoins,
  type JoinDecision,
  type JoinedRun,
  type JoinEdge,
  type JoinJob,
  type RunEnd,
} from '../domain/dependency.ts';
import type { NewEvent } from './event-log.ts';
import type { Queryable } from './sql.ts';
import { toJsonb } from './sql.ts';

/** A job without slots that waits for others, locked, with what its executions take from it. */
export interface LockedJoin extends JoinJob {
  priority: number;
  maxRetries: number | null;
}

const LOCK_JOINS = `
-- lock the jobs that run by the end of executions of any of the jobs $1: two upstreams of one join that end at the
-- same moment decide one after the other, and the second sees what the first has marked.
-- Before any execution is locked, as all do who lock both, and in the order of ids; NO KEY UPDATE, not UPDATE: settling
-- inserts rows that refer to these jobs and checks them while it holds the event log's lock.
SELECT j.id, j.status, j.start_at AS "startAt", j.end_at AS "endAt", j.priority, j.max_retries AS "maxRetries"
FROM jobs AS j
WHERE j.id IN (SELECT job_id FROM job_dependencies WHERE depends_on_id = ANY($1::uuid[]))
  AND j.schedule IS NULL AND j.run_at IS NULL
ORDER BY j.id
FOR NO KEY UPDATE`;

/**
 * Locks the joins behind some upstream jobs. Must come before the transaction locks any execution.
 *
 * A job that comes to wait for one of them after this is not among those locked: what ends now ended before.
 */
export async function lockJoinsBehind(
  tx: Queryable,
  upstreamJobIds: readonly string[],
): Promise<LockedJoin[]> {
  if (upstreamJobIds.length === 0) return [];
  const { rows } = await tx.query<LockedJoin & Record<string, unknown>>({
    name: 'lock-joins',
    text: LOCK_JOINS,
    values: [upstreamJobIds],
  });
  return rows;
}

const READ_EDGES = `
-- all edges of locked joins, in a statement of its own: its snapshot is younger than the locks.
SELECT id, job_id AS "jobId", depends_on_id AS "dependsOnId", condition, satisfied_by_execution_id AS "satisfiedBy"
FROM job_dependencies WHERE job_id = ANY($1::uuid[])
ORDER BY job_id, created_at, id`;

const RECORD_JOINS = `
-- record joins: mark the edges and insert the runs with what set them off. Edges are written only by whoever holds
-- their job's lock, so none of these rows is waited for.
WITH marked AS (
  UPDATE job_dependencies AS d SET satisfied_by_execution_id = m."satisfiedBy", satisfied_at = m."satisfiedAt"
  FROM jsonb_to_recordset($1::jsonb) AS m(id uuid, "satisfiedBy" uuid, "satisfiedAt" timestamptz)
  WHERE d.id = m.id
), upstream AS MATERIALIZED (
  -- An earlier satisfaction may have been pruned since; what is still there is kept from going before the commit.
  SELECT e.id FROM job_executions AS e
  WHERE e.id IN (SELECT t."triggeredById" FROM jsonb_to_recordset($3::jsonb) AS t("triggeredById" uuid))
  ORDER BY e.id
  FOR KEY SHARE
), planned AS (
  INSERT INTO job_executions (id, job_id, status, trigger, created_at, available_at, priority, max_attempts)
  SELECT r.id, r."jobId", r.status, 'DEPENDENCY', r.at, r.at, r.priority, r."maxAttempts"
  FROM jsonb_to_recordset($2::jsonb) AS r(id uuid, "jobId" uuid, status execution_status, at timestamptz, priority int,
    "maxAttempts" int)
)
INSERT INTO job_execution_triggers (execution_id, triggered_by_id)
SELECT t."executionId", t."triggeredById"
FROM jsonb_to_recordset($3::jsonb) AS t("executionId" uuid, "triggeredById" uuid)
JOIN upstream ON upstream.id = t."triggeredById"`;

/**
 * Records what ends of runs mean for the joins behind them: edges satisfied and used, runs inserted.
 *
 * To be called in the transaction that records the ends, behind {@link lockJoinsBehind} and before the event log's lock
 * is taken; only by whoever holds the rows of the ended executions.
 *
 * @param newId draws the id of a run
 * @returns the events to append, in the order of the runs; where there are some, workers are to be woken
 */
export async function recordEnds(
  tx: Queryable,
  joins: readonly LockedJoin[],
  ends: readonly RunEnd[],
  newId: (now: Date) => string,
): Promise<NewEvent[]> {
  if (joins.length === 0 || ends.length === 0) return [];
  const { rows: edges } = await tx.query<JoinEdge & Record<string, unknown>>({
    name: 'read-join-edges',
    text: READ_EDGES,
    values: [joins.map(({ id }) => id)],
  });
  const decision = decideJoins(joins, edges, ends);
  if (decision.marks.length === 0) return [];
  return recordJoins(tx, joins, decision, newId);
}

async function recordJoins(
  tx: Queryable,
  joins: readonly LockedJoin[],
  { marks, runs }: JoinDecision,
  newId: (now: Date) => string,
): Promise<NewEvent[]> {
  const executions = runs.map((run) => executionOf(run, joins, newId));
  const triggers = executions.flatMap(({ id, triggeredBy }) =>
    triggeredBy.map((triggeredById) => ({ executionId: id, triggeredById })),
  );
  await tx.query({
    name: 'record-joins',
    text: RECORD_JOINS,
    values: [toJsonb(marks), toJsonb(executions), toJsonb(triggers)],
  });
  return executions.map(({ id, jobId, status, at }) => ({
    at,
    kind: 'EXECUTION_PLANNED',
    jobId,
    executionId: id,
    status,
    trigger: 'DEPENDENCY',
    createdAt: at,
  }));
}

interface NewJoinedExecution extends JoinedRun {
  id: string;
  status: 'PENDING';
  priority: number;
  maxAttempts: number;
}

function executionOf(
  run: JoinedRun,
  joins: readonly LockedJoin[],
  newId: (now: Date) => string,
): NewJoinedExecution {
  const job = joins.find(({ id }) => id === run.jobId);
  if (!job) throw new Error('A run was decided for a job that is not locked');
  const { priority, maxRetries } = job;
  return { ...run, id: newId(run.at), status: 'PENDING', priority, maxAttempts: 1 + (maxRetries ?? 0) };
}
