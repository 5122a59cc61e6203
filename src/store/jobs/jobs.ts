import { isStorable } from '../../domain/values/text.ts';
import { JOB_SQL, type JobRow, jobOf, rowOf, type StoredJob } from './job-row.ts';
import { tagsOfJobs } from '../tags/job-tags.ts';
import type { Queryable } from '../statements/sql.ts';
import { toJsonb } from '../statements/sql.ts';

export type { StoredJob } from './job-row.ts';

/** A job of which it is not known what tags it has. */
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
 * Writes jobs that this transaction has locked, without their tags. A taken key throws; see {@link isKeyTaken}. Whole
 * rows, whatever changed: one statement to prepare, and a row is locked and rewritten either way.
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
 * NO KEY UPDATE, not UPDATE: inserting an execution takes a key-share lock on its job, and the planner would wait for
 * this command while this command waits for the event log's lock, which the planner holds.
 * Ordered by id, as all do who lock several jobs.
 */
const LOCKED = 'ORDER BY id FOR NO KEY UPDATE';

/** The jobs, in the order of their ids, locked against changes by others until the transaction ends. */
export async function lockJobs(tx: Queryable, ids: readonly string[]): Promise<StoredJob[]> {
  return withTags(tx, await lockRows(tx, ids));
}

/** The job, locked in the same way, for whoever does not ask for its tags; null where there is none. */
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

/** The same for those jobs that bear the keys and are not deleted. What cannot be a key is one that none bears. */
export async function lockJobsByKey(tx: Queryable, keys: readonly string[]): Promise<StoredJob[]> {
  const { rows } = await tx.query<JobRow>({
    name: 'lock-jobs-by-key',
    text: `SELECT ${JOB_SQL.selection} FROM jobs WHERE key = ANY($1) AND deleted_at IS NULL ${LOCKED}`,
    values: [keys.filter(isStorable)],
  });
  return withTags(tx, rows);
}

/** The job, locked against changes by others until the transaction ends; null where there is none. */
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
