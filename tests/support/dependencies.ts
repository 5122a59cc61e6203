import { randomUUID } from 'node:crypto';
import type { Pool } from 'pg';
import type { DependencyCondition, RunEndStatus } from '../../src/domain/workflow/dependency.ts';
import { countEnds } from '../../src/store/metrics/rollups.ts';
import { START } from './manual-clock.ts';
import { insertExecution, insertRow, type Row } from './rows.ts';

/** Lets one job wait for another, as the command would. Answers the edge's id. */
export async function insertDependency(
  pool: Pool,
  jobId: string,
  dependsOnId: string,
  condition: DependencyCondition = 'ON_SUCCESS',
): Promise<string> {
  const row = await insertRow(pool, 'job_dependencies', {
    id: randomUUID(),
    job_id: jobId,
    depends_on_id: dependsOnId,
    condition,
    created_at: START,
  });
  return row['id'] as string;
}

/** An execution that has ended, counted as whoever records an end counts it. Answers its id. */
export async function insertEnd(
  pool: Pool,
  jobId: string,
  status: RunEndStatus | 'SKIPPED',
  overrides: Row & { at?: Date } = {},
): Promise<string> {
  const id = await insertExecution(pool, jobId, status, overrides);
  await pool.query(
    countEnds(
      `SELECT job_id, status, finished_at AS at, duration_ms, lateness_ms FROM job_executions WHERE id = '${id}'`,
    ),
  );
  return id;
}

/** The executions whose end triggered one, in the order of their ids. */
export async function triggersOf(pool: Pool, executionId: string): Promise<string[]> {
  const { rows } = await pool.query<{ id: string }>(
    'SELECT triggered_by_id AS id FROM job_execution_triggers WHERE execution_id = $1 ORDER BY triggered_by_id',
    [executionId],
  );
  return rows.map(({ id }) => id);
}

/** What satisfied the edges of a job and was not used yet; null where nothing did. In the order of the upstreams given. */
export async function satisfactionsOf(
  pool: Pool,
  jobId: string,
  dependsOnIds: readonly string[],
): Promise<unknown[]> {
  const { rows } = await pool.query<Row>('SELECT * FROM job_dependencies WHERE job_id = $1', [jobId]);
  return dependsOnIds.map(
    (id) => rows.find((row) => row['depends_on_id'] === id)?.['satisfied_by_execution_id'],
  );
}
