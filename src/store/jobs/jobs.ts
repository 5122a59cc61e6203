import { isStorable } from '../../domain/values/text.ts';
import { JOB_SQL, type JobRow, jobOf, rowOf, type StoredJob } from './job-row.ts';
import { tagsOfJobs } from '../tags/job-tags.ts';
import type { Queryable } from '../statements/sql.ts';
import { toJsonb } from '../statements/sql.ts';

export type { StoredJob } from './job-row.ts';

/** A job without its tags, which were not read. */
export type UntaggedJob = Omit<StoredJob, 'tags'>;

/** The statement that inserts the jobs that a parameter holds, without their tags. */
export function insertJobsSql(parameter: string): string {
  return `INSERT INTO jobs (${JOB_SQL.columns}) SELECT ${JOB_SQL.values} FROM ${JOB_SQL.given(parameter)}`;
}

/** Inserts jobs without their tags, in the order given. A taken key throws; see {@link isKeyTaken}. */
export async function insertJobs(tx: Queryable, jobs: readonly StoredJob[]): Promise<void> {
  if (jobs.length === 0) return;
  await tx.query({ name: 'insert-jobs', text: insertJobsSql('$1'), values: [toJsonb(jobs.map(rowOf))] });
}

/**
 * Writes jobs that this transaction has locked, without their tags. A taken key throws; see {@link isKeyTaken}. It
 * writes whole rows, so there is only one statement to prepare. PostgreSQL rewrites the row in any case.
 */
export async function updateJobs(tx: Queryable, jobs: readonly StoredJob[]): Promise<void> {
  if (jobs.length === 0) return;
  await tx.query({
    name: 'update-jobs',
    text: `UPDATE jobs SET ${JOB_SQL.assignments} FROM ${JOB_SQL.given('$1')} WHERE jobs.id = j.id`,
    values: [toJsonb(jobs.map(rowOf))],
  });
}

/** Writes a job that this transaction has locked, without its tags. A taken key throws; see {@link isKeyTaken}. */
export async function updateJob(tx: Queryable, job: StoredJob): Promise<void> {
  await updateJobs(tx, [job]);
}

/**
 * NO KEY UPDATE, not UPDATE: an insert of an execution takes a key-share lock on its job. With UPDATE, the planner
 * could wait for this command while this command waits for the event log's lock of the planner. The order is by id,
 * as in every statement that locks several jobs.
 */
const LOCKED = 'ORDER BY id FOR NO KEY UPDATE';

/** Locks jobs until the transaction ends. Returns them in the order of their ids. */
export async function lockJobs(tx: Queryable, ids: readonly string[]): Promise<StoredJob[]> {
  return withTags(tx, await lockRows(tx, ids));
}

/** Locks a job in the same way, without reading its tags; null when there is none. */
export async function lockUntaggedJob(tx: Queryable, id: string): Promise<UntaggedJob | null> {
  const [row] = await lockRows(tx, [id]);
  return row ? jobOf(row, []) : null;
}

async function lockRows(tx: Queryable, ids: readonly string[]): Promise<JobRow[]> {
  const { rows } = await tx.query<JobRow>({
    name: 'lock-jobs',
    text: `SELECT ${JOB_SQL.selection} FROM jobs WHERE id = ANY($1) ${LOCKED}`,
    values: [ids],
  });
  return rows;
}

/** The same for jobs with these keys that are not deleted. A text that cannot be a key matches no job. */
export async function lockJobsByKey(tx: Queryable, keys: readonly string[]): Promise<StoredJob[]> {
  const { rows } = await tx.query<JobRow>({
    name: 'lock-jobs-by-key',
    text: `SELECT ${JOB_SQL.selection} FROM jobs WHERE key = ANY($1) AND deleted_at IS NULL ${LOCKED}`,
    values: [keys.filter(isStorable)],
  });
  return withTags(tx, rows);
}

/** Locks a job until the transaction ends; null when there is none. */
export async function lockJob(tx: Queryable, id: string): Promise<StoredJob | null> {
  const [job] = await lockJobs(tx, [id]);
  return job ?? null;
}

/** The jobs of rows that this transaction has locked. */
export async function withTags(tx: Queryable, rows: readonly JobRow[]): Promise<StoredJob[]> {
  const tags = await tagsOfJobs(
    tx,
    rows.map(({ id }) => id),
  );
  return rows.map((row) => jobOf(row, tags.get(row.id) ?? []));
}

/** Whether a statement failed because another job that is not deleted has the key. */
export function isKeyTaken(error: unknown): boolean {
  return error instanceof Error && 'constraint' in error && error.constraint === 'jobs_key_unique';
}
