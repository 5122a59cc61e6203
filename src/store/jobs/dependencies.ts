import type { DependencyCondition, Edge } from '../../domain/workflow/dependency.ts';
import type { Queryable } from '../statements/sql.ts';

/**
 * The key of the advisory transaction lock for adding edges. Without it, two transactions could each add an edge of
 * the same cycle, because neither sees the other's edge.
 *
 * Take it FIRST, before any row: a transaction that waits for it must hold no lock.
 */
const EDGE_CHANGES_LOCK = 7_265_002;

/** An edge as it is stored, without the execution that satisfies it. */
export interface Dependency extends Edge {
  id: string;
  condition: DependencyCondition;
}

/** Prevents other transactions from adding edges until this one ends. Must be its first statement. */
export async function lockEdgeChanges(tx: Queryable): Promise<void> {
  await tx.query({
    name: 'lock-edge-changes',
    text: 'SELECT pg_advisory_xact_lock($1)',
    values: [EDGE_CHANGES_LOCK],
  });
}

/** The edges of a job. They cannot change while the transaction has locked the job. */
export async function readDependencies(tx: Queryable, jobId: string): Promise<Dependency[]> {
  const { rows } = await tx.query<Dependency & Record<string, unknown>>({
    name: 'read-dependencies',
    text: `SELECT id, job_id AS "jobId", depends_on_id AS "dependsOnId", condition FROM job_dependencies WHERE job_id = $1`,
    values: [jobId],
  });
  return rows;
}

const READ_EDGES_UPSTREAM = `
-- all edges on the paths upstream from job $1. UNION, not UNION ALL, follows an edge only once.
WITH RECURSIVE upstream(job_id, depends_on_id) AS (
  SELECT job_id, depends_on_id FROM job_dependencies WHERE job_id = $1
  UNION
  SELECT d.job_id, d.depends_on_id FROM upstream AS u JOIN job_dependencies AS d ON d.job_id = u.depends_on_id
)
SELECT job_id AS "jobId", depends_on_id AS "dependsOnId" FROM upstream`;

/** All edges on the paths upstream from a job. */
export async function readEdgesUpstream(tx: Queryable, jobId: string): Promise<Edge[]> {
  const { rows } = await tx.query<Edge & Record<string, unknown>>({
    name: 'read-edges-upstream',
    text: READ_EDGES_UPSTREAM,
    values: [jobId],
  });
  return rows;
}

/** Adds an edge that is not satisfied. The transaction must hold {@link lockEdgeChanges} and its job's row. */
export async function insertDependency(tx: Queryable, dependency: Dependency, now: Date): Promise<void> {
  const { id, jobId, dependsOnId, condition } = dependency;
  await tx.query({
    name: 'insert-dependency',
    text: `INSERT INTO job_dependencies (id, job_id, depends_on_id, condition, created_at)
VALUES ($1, $2, $3, $4::dependency_condition, $5)`,
    values: [id, jobId, dependsOnId, condition, now],
  });
}

/** Removes an edge. The transaction must hold its job's row. */
export async function deleteDependency(tx: Queryable, id: string): Promise<void> {
  await tx.query({
    name: 'delete-dependency',
    text: 'DELETE FROM job_dependencies WHERE id = $1',
    values: [id],
  });
}

/** Marks all edges of jobs as not satisfied. The transaction must hold the jobs' rows. */
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
 * Removes the edges of deleted jobs. Jobs that wait for the deleted ones keep waiting, so they never run by a
 * condition that nobody asked for. A user can see and remove such an edge. The transaction must hold the jobs' rows.
 */
export async function deleteDependenciesOf(tx: Queryable, jobIds: readonly string[]): Promise<void> {
  if (jobIds.length === 0) return;
  await tx.query({
    name: 'delete-dependencies',
    text: 'DELETE FROM job_dependencies WHERE job_id = ANY($1)',
    values: [jobIds],
  });
}
