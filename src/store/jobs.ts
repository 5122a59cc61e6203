import type { BackoffStrategy, RetryPolicy } from '../domain/retry.ts';
import type { JobDefinition, JobStatus } from '../domain/job-definition.ts';
import { retryPolicyColumns, retryPolicyOf } from './retry-policy-columns.ts';
import type { Queryable } from './sql.ts';
import { toJsonb } from './sql.ts';

/** A job as its row holds it, the retry columns read as one policy. */
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

type Column = { column: string; cast?: string; value: (job: StoredJob) => unknown };

const COLUMNS: readonly Column[] = [
  { column: 'id', value: (job) => job.id },
  { column: 'key', value: (job) => job.key },
  { column: 'name', value: (job) => job.name },
  { column: 'description', value: (job) => job.description },
  { column: 'status', cast: 'job_status', value: (job) => job.status },
  { column: 'type', cast: 'job_type', value: (job) => job.type },
  { column: 'schedule', value: (job) => job.schedule },
  { column: 'timezone', value: (job) => job.timezone },
  { column: 'run_at', value: (job) => job.runAt },
  { column: 'start_at', value: (job) => job.startAt },
  { column: 'end_at', value: (job) => job.endAt },
  { column: 'jitter_ms', value: (job) => job.jitterMs },
  { column: 'api', value: (job) => job.api },
  { column: 'method', cast: 'http_method', value: (job) => job.method },
  { column: 'headers', cast: 'jsonb', value: (job) => toJsonb(job.headers) },
  { column: 'body', cast: 'jsonb', value: (job) => (job.body === null ? null : toJsonb(job.body)) },
  { column: 'timeout_ms', value: (job) => job.timeoutMs },
  { column: 'success_statuses', value: (job) => job.successStatuses },
  { column: 'completion', cast: 'job_completion', value: (job) => job.completion },
  { column: 'completion_timeout_ms', value: (job) => job.completionTimeoutMs },
  ...retryColumns(),
  {
    column: 'concurrency_policy',
    cast: 'concurrency_policy',
    value: (job) => job.concurrencyPolicy,
  },
  { column: 'max_concurrency', value: (job) => job.maxConcurrency },
  { column: 'misfire_policy', cast: 'misfire_policy', value: (job) => job.misfirePolicy },
  { column: 'misfire_grace_ms', value: (job) => job.misfireGraceMs },
  { column: 'dst_gap_policy', cast: 'dst_gap_policy', value: (job) => job.dstGapPolicy },
  { column: 'dst_overlap_policy', cast: 'dst_overlap_policy', value: (job) => job.dstOverlapPolicy },
  { column: 'priority', value: (job) => job.priority },
  { column: 'next_run_at', value: (job) => job.nextRunAt },
  { column: 'paused_at', value: (job) => job.pausedAt },
  { column: 'paused_until', value: (job) => job.pausedUntil },
  { column: 'pause_reason', value: (job) => job.pauseReason },
  { column: 'paused_by', value: (job) => job.pausedBy },
  { column: 'version', value: (job) => job.version },
  { column: 'created_at', value: (job) => job.createdAt },
  { column: 'updated_at', value: (job) => job.updatedAt },
  { column: 'deleted_at', value: (job) => job.deletedAt },
];

function retryColumns(): Column[] {
  const columns = {
    max_retries: 'maxRetries',
    initial_delay_ms: 'initialDelayMs',
    max_delay_ms: 'maxDelayMs',
    retry_jitter: 'retryJitter',
    retry_on: 'retryOn',
    respect_retry_after: 'respectRetryAfter',
  } as const;
  return [
    {
      column: 'backoff_strategy',
      cast: 'backoff_strategy',
      value: (job) => job.retryPolicy?.backoffStrategy ?? null,
    },
    ...Object.entries(columns).map(([column, field]) => ({
      column,
      value: ({ retryPolicy }: StoredJob) => retryPolicyColumns(retryPolicy)[field],
    })),
  ];
}

const INSERT = `INSERT INTO jobs (${COLUMNS.map(({ column }) => column).join(', ')})
VALUES (${COLUMNS.map(placeholder).join(', ')})`;

// The whole row, whatever changed: one statement to prepare, and the row is locked and rewritten either way.
const UPDATE = `UPDATE jobs SET ${COLUMNS.map(
  (column, index) => `${column.column} = ${placeholder(column, index)}`,
)
  .slice(1)
  .join(', ')} WHERE id = $1`;

function placeholder({ cast }: Column, index: number): string {
  return `$${index + 1}${cast === undefined ? '' : `::${cast}`}`;
}

/** Inserts a job. A taken key throws; see {@link isKeyTaken}. */
export async function insertJob(tx: Queryable, job: StoredJob): Promise<void> {
  await tx.query({ name: 'insert-job', text: INSERT, values: COLUMNS.map(({ value }) => value(job)) });
}

/** Writes a job that this transaction has locked. A taken key throws; see {@link isKeyTaken}. */
export async function updateJob(tx: Queryable, job: StoredJob): Promise<void> {
  await tx.query({ name: 'update-job', text: UPDATE, values: COLUMNS.map(({ value }) => value(job)) });
}

const LOCK = `
-- Read a job and keep everybody else from changing it until the commit.
-- NO KEY UPDATE, not UPDATE: inserting an execution takes a key-share lock on its job, and the planner would wait for
-- this command while this command waits for the event log's lock, which the planner holds.
SELECT id, key, name, description, status, type, schedule, timezone, run_at AS "runAt", start_at AS "startAt",
  end_at AS "endAt", jitter_ms AS "jitterMs", api, method, headers, body, timeout_ms AS "timeoutMs",
  success_statuses AS "successStatuses", completion, completion_timeout_ms AS "completionTimeoutMs",
  max_retries AS "maxRetries", backoff_strategy AS "backoffStrategy", initial_delay_ms AS "initialDelayMs",
  max_delay_ms AS "maxDelayMs", retry_jitter AS "retryJitter", retry_on AS "retryOn",
  respect_retry_after AS "respectRetryAfter",
  concurrency_policy AS "concurrencyPolicy", max_concurrency AS "maxConcurrency", misfire_policy AS "misfirePolicy",
  misfire_grace_ms AS "misfireGraceMs", dst_gap_policy AS "dstGapPolicy", dst_overlap_policy AS "dstOverlapPolicy",
  priority, next_run_at AS "nextRunAt", paused_at AS "pausedAt", paused_until AS "pausedUntil",
  pause_reason AS "pauseReason", paused_by AS "pausedBy", version, created_at AS "createdAt",
  updated_at AS "updatedAt", deleted_at AS "deletedAt"
FROM jobs WHERE id = $1 FOR NO KEY UPDATE`;

type JobRow = Omit<StoredJob, 'retryPolicy'> & {
  maxRetries: number | null;
  backoffStrategy: BackoffStrategy | null;
  initialDelayMs: number | null;
  maxDelayMs: number | null;
  retryJitter: number | null;
  retryOn: string[];
  respectRetryAfter: boolean | null;
};

/** The job, locked against changes by others until the transaction ends; null where there is none. */
export async function lockJob(tx: Queryable, id: string): Promise<StoredJob | null> {
  const { rows } = await tx.query<JobRow>({ name: 'lock-job', text: LOCK, values: [id] });
  const [row] = rows;
  if (!row) return null;
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
  const retryPolicy: RetryPolicy | null = retryPolicyOf({
    maxRetries,
    backoffStrategy,
    initialDelayMs,
    maxDelayMs,
    retryJitter,
    retryOn,
    respectRetryAfter,
  });
  return { ...job, retryPolicy };
}

/** Whether a statement failed because another job that is not deleted has the key. */
export function isKeyTaken(error: unknown): boolean {
  return isConstraintViolation(error, 'jobs_key_unique');
}

function isConstraintViolation(error: unknown, constraint: string): boolean {
  return error instanceof Error && 'constraint' in error && error.constraint === constraint;
}
