import type { JobDefinition, JobStatus } from '../../domain/job/job-definition.ts';
import { maskUrl } from '../../domain/request/secrets.ts';
import {
  type RetryPolicyColumns,
  retryPolicyColumns,
  retryPolicyOf,
} from '../../domain/execution/retry-policy-columns.ts';

/** A job from its row and its tags, with the retry columns as one policy. */
export type StoredJob = JobDefinition & {
  id: string;
  status: JobStatus;
  nextRunAt: Date | null;
  pausedAt: Date | null;
  pausedUntil: Date | null;
  pauseReason: string | null;
  pausedBy: string | null;
  version: number;
  createdAt: Date;
  updatedAt: Date;
  deletedAt: Date | null;
};

/** The fields of a job that are in its row. */
export type JobRow = Omit<StoredJob, 'retryPolicy' | 'tags'> & RetryPolicyColumns;

/** The types of the row's columns, by field name. */
const TYPES: Readonly<Record<keyof JobRow, string>> = {
  id: 'uuid',
  key: 'text',
  name: 'text',
  description: 'text',
  status: 'job_status',
  type: 'job_type',
  schedule: 'text',
  timezone: 'text',
  runAt: 'timestamptz',
  startAt: 'timestamptz',
  endAt: 'timestamptz',
  jitterMs: 'int',
  api: 'text',
  method: 'http_method',
  headers: 'jsonb',
  body: 'jsonb',
  timeoutMs: 'int',
  successStatuses: 'text[]',
  completion: 'job_completion',
  completionTimeoutMs: 'int',
  maxRetries: 'int',
  backoffStrategy: 'backoff_strategy',
  initialDelayMs: 'int',
  maxDelayMs: 'int',
  retryJitter: 'float8',
  retryOn: 'text[]',
  respectRetryAfter: 'boolean',
  concurrencyPolicy: 'concurrency_policy',
  maxConcurrency: 'int',
  misfirePolicy: 'misfire_policy',
  misfireGraceMs: 'int',
  dstGapPolicy: 'dst_gap_policy',
  dstOverlapPolicy: 'dst_overlap_policy',
  priority: 'int',
  nextRunAt: 'timestamptz',
  pausedAt: 'timestamptz',
  pausedUntil: 'timestamptz',
  pauseReason: 'text',
  pausedBy: 'text',
  version: 'int',
  createdAt: 'timestamptz',
  updatedAt: 'timestamptz',
  deletedAt: 'timestamptz',
};

const FIELDS = Object.entries(TYPES).map(([field, type]) => ({ field, type, column: columnOf(field) }));
/** Written with each row and read by filters alone: the URL as it is shown. */
const SHOWN_API = { field: 'shownApi', type: 'text', column: 'shown_api' };
const WRITTEN = [...FIELDS, SHOWN_API];

function columnOf(field: string): string {
  return field.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

/** The parts of statements on whole rows. Rows come as a JSON list, so one text works for any number of rows. */
export const JOB_SQL = {
  /** The select list that reads a {@link JobRow}. */
  selection: FIELDS.map(({ field, column }) => `${column} AS "${field}"`).join(', '),
  columns: WRITTEN.map(({ column }) => column).join(', '),
  /** The same columns of {@link JOB_SQL.given}. */
  values: WRITTEN.map(({ field }) => `j."${field}"`).join(', '),
  assignments: WRITTEN.filter(({ field }) => field !== 'id')
    .map(({ field, column }) => `${column} = j."${field}"`)
    .join(', '),
  /** The rows that a parameter holds. */
  given: (parameter: string) =>
    `jsonb_to_recordset(${parameter}::jsonb) AS j(${WRITTEN.map(({ field, type }) => `"${field}" ${type}`).join(', ')})`,
} as const;

/** What is written of a job into its row; {@link JOB_SQL.given} takes no notice of what has no column. */
export function rowOf(job: StoredJob): JobRow & { shownApi: string } {
  return { ...job, ...retryPolicyColumns(job.retryPolicy), shownApi: maskUrl(job.api) };
}

/** The job from a row and its tags. */
export function jobOf(row: JobRow, tags: readonly string[]): StoredJob {
  const {
    maxRetries,
    backoffStrategy,
    initialDelayMs,
    maxDelayMs,
    retryJitter,
    retryOn,
    respectRetryAfter,
    ...job
  } = row;
  const retryPolicy = retryPolicyOf({
    maxRetries,
    backoffStrategy,
    initialDelayMs,
    maxDelayMs,
    retryJitter,
    retryOn,
    respectRetryAfter,
  });
  return { retryPolicy, tags, ...job };
}
