import type { DependencyCondition, Edge } from '../../domain/workflow/dependency.ts';
import type { Queryable } from '../statements/sql.ts';

/**
 * Key of the advisory transaction lock under which edges are added. Two edges that would close a cycle together are
 * each harmless to a transaction that does not see the other.
 *
 * Taken FIRST, before any row: whoever waits for it must hold nothing.
 */
const EDGE_CHANGES_LOCK = 7_265_002;

/** An edge as it is stored, without what satisfies it at the moment. */
export interface Dependency extends Edge {
  id: string;
  condition: DependencyCondition;
}

/** Keeps everybody else from adding edges until the transaction ends. Must be its first statement. */
export async function lockEdgeChanges(tx: Queryable): Promise<void> {
  await tx.query({
    name: 'lock-edge-changes',
    text: 'SELECT pg_advisory_xact_lock($1)',
    values: [EDGE_CHANGES_LOCK],
  });
}

/** What a job waits for; a job that holds the edge's job locked reads what stays so. */
export async function readDependencies(tx: Queryable, jobId: string): Promise<Dependency[]> {
  const { rows } = await tx.query<Dependency & Record<string, unknown>>({
    name: 'read-dependencies',
    text: `SELECT id, job_id AS "jobId", depends_on_id AS "dependsOnId", condition FROM job_dependencies WHERE job_id = $1`,
    values: [jobId],
  });
  return rows;
}

const READ_EDGES_UPSTREAM = `
-- all edges on the ways upstream from job $1. UNION, not UNION ALL: an edge that is reached twice is followed once.
WITH RECURSIVE upstream(job_id, depends_on_id) AS (
  SELECT job_id, depends_on_id FROM job_dependencies WHERE job_id = $1
  UNION
  SELECT d.job_id, d.depends_on_id FROM upstream AS u JOIN job_dependencies AS d ON d.job_id = u.depends_on_id
)
SELECT job_id AS "jobId", depends_on_id AS "dependsOnId" FROM upstream`;

/** All edges that lead upstream from a job, however far. */
export async function readEdgesUpstream(tx: Queryable, jobId: string): Promise<Edge[]> {
  const { rows } = await tx.query<Edge & Record<string, unknown>>({
    name: 'read-edges-upstream',
    text: READ_EDGES_UPSTREAM,
    values: [jobId],
  });
  return rows;
}

/** Adds an edge, not satisfied yet. The transaction must hold {@link lockEdgeChanges} and its job's row. */
export async function insertDependency(tx: Queryable, dependency: Dependency, now: Date): Promise<void> {
  const { id, jobId, dependsOnId, condition } = dependency;
  await tx.query({
    name: 'insert-dependency',
    text: `INSERT INTO job_dependencies (id, job_id, depends_on_id, condition, created_at)
VALUES ($1, $2, $3, $4::dependency_condition, $5)`,
    values: [id, jobId, dependsOnId, condition, now],
  });
}

/** Removes an edge, and with it what satisfied it. The transaction must hold its job's row. */
export async function deleteDependency(tx: Queryable, id: string): Promise<void> {
  await tx.query({
    name: 'delete-dependency',
    text: 'DELETE FROM job_dependencies WHERE id = $1',
    values: [id],
  });
}

/** Forgets what satisfied the edges of jobs. The transaction must hold the jobs' rows. */
export async function forgetSatisfactions(tx: Queryable, jobIds: readonly string[]): Promise<void> {
  if (jobIds.length === 0) return;
  await tx.query({
    name: 'forget-satisfactions',
    text: `UPDATE job_dependencies SET satisfied_by_execution_id = NULL, satisfied_at = NULL
WHERE job_id = ANY($1::uuid[]) AND satisfied_at IS NOT NULL`,
    values: [jobIds],
  });
}

/**
 * Removes all that jobs wait for: they were deleted. What waits for them goes on to wait, and so never runs by a
 * condition that nobody asked for; the edge can be seen and removed. The transaction must hold the jobs' rows.
 */
export async function deleteDependenciesOf(tx: Queryable, jobIds: readonly string[]): Promise<void> {
  if (jobIds.length === 0) return;
  await tx.query({
    name: 'delete-dependencies',
    text: 'DELETE FROM job_dependencies WHERE job_id = ANY($1)',
    values: [jobIds],
  });
}
