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

/** A job without slots that waits for others, locked, with what its executions take from it. */
export interface LockedJoin extends JoinJob, ConcurrencyRule {
  priority: number;
  maxRetries: number | null;
}

const LOCK_JOINS = `
-- lock the jobs that run by the end of any of the executions $1: two upstreams of one join that end at the same moment
-- decide one after the other, and the second sees what the first has marked.
-- Before any execution is locked, as all do who lock both, and in the order of ids; NO KEY UPDATE, not UPDATE: settling
-- inserts rows that refer to these jobs and checks them while it holds the event log's lock.
SELECT j.id, j.status, j.start_at AS "startAt", j.end_at AS "endAt", j.priority, j.max_retries AS "maxRetries",
  j.concurrency_policy AS "concurrencyPolicy", j.max_concurrency AS "maxConcurrency"
FROM jobs AS j
WHERE j.id IN (SELECT d.job_id FROM job_executions AS e JOIN job_dependencies AS d ON d.depends_on_id = e.job_id
               WHERE e.id = ANY($1::uuid[]))
  AND j.schedule IS NULL AND j.run_at IS NULL
ORDER BY j.id
FOR NO KEY UPDATE OF j`;

const LOCK_REPLACEABLE = `
-- lock the executions $1 together with those that a run of the jobs $2 may cancel to take their place, all in the order
-- of ids: locked in two turns, they would meet others who lock several (a lease keeper, say) in a circle.
SELECT FROM job_executions
WHERE id = ANY($1::uuid[])
  OR job_id = ANY($2::uuid[]) AND ${REPLACEABLE}
ORDER BY id
FOR NO KEY UPDATE`;

/**
 * Locks the joins behind executions that are about to end. Must come before the transaction locks anything else.
 *
 * A job that comes to wait for one of them after this is not among those locked: what ends now ended before.
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
-- all edges of locked joins, in a statement of its own: its snapshot is younger than the locks.
SELECT id, job_id AS "jobId", depends_on_id AS "dependsOnId", condition, satisfied_by_execution_id AS "satisfiedBy"
FROM job_dependencies WHERE job_id = ANY($1::uuid[])
ORDER BY job_id, created_at, id`;

const MARK_EDGES = `
-- mark edges as satisfied or used. They are written only by whoever holds their job's lock, so none is waited for.
UPDATE job_dependencies AS d SET satisfied_by_execution_id = m."satisfiedBy", satisfied_at = m."satisfiedAt"
FROM jsonb_to_recordset($1::jsonb) AS m(id uuid, "satisfiedBy" uuid, "satisfiedAt" timestamptz)
WHERE d.id = m.id`;

const INSERT_RUNS = `
-- insert runs of joins, with what set them off.
WITH upstream AS MATERIALIZED (
  -- An earlier satisfaction may have been pruned since; what is still there is kept from going before the commit.
  -- SKIP LOCKED: what is being pruned at this moment is as good as gone, and whoever prunes it may want an edge of ours.
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

/** What ends of runs have set off, taking the place of others included. */
export interface SetOff {
  events: NewEvent[];
  /** Calls under way were asked to stop for new runs. */
  isReplacing: boolean;
}

/**
 * Records what ends of runs mean for the joins behind them: edges satisfied and used, runs inserted, beside others of
 * their job as its concurrency policy allows.
 *
 * To be called in the transaction that records the ends, behind {@link lockJoinsBehind} and before the event log's lock
 * is taken; only by whoever holds the rows of the ended executions.
 *
 * @param newId draws the id of a run
 * @returns the events to append: where there are some, workers are to be woken, and lease keepers where runs are replaced
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
  // One after the other, each beside those before it.
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
