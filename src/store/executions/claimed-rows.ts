import type { ExecutionStatus, ExecutionTrigger } from '../../domain/execution/execution.ts';
import type { HttpMethod } from '../../domain/request/http-method.ts';
import type { RetryPolicy } from '../../domain/execution/retry.ts';
import type { JobCompletion, JobType } from '../../generated/prisma/enums.ts';
import { retryPolicyOf, type RetryPolicyColumns } from '../../domain/execution/retry-policy-columns.ts';

/** An execution that this instance holds, with the job's present fields that its attempt needs. */
export interface ClaimedExecution extends ExecutionOfAttempt, AttemptStart, JobOfAttempt {
  /** The job's body, unless the execution replaces it. */
  body: unknown;
}

/** The execution's own fields in the result of a claim. */
export interface ExecutionOfAttempt {
  id: string;
  jobId: string;
  trigger: ExecutionTrigger;
  scheduledAt: Date | null;
  /** The attempt that this claim is for, from 1. */
  attemptCount: number;
  retryCount: number;
  rescueCount: number;
  /** Fences every later write of this holder. */
  claimSeq: number;
  host: string;
  /**
   * The upstream execution that ended last and triggered this one. Null when there is none, or when no template of
   * the request can use it.
   */
  upstream: UpstreamExecution | null;
}

/** When the execution began, and this attempt of it. */
export interface AttemptStart {
  startedAt: Date;
  attemptStartedAt: Date;
}

/** The fields that an attempt takes from its job. The executions of one claim share them. */
export interface JobOfAttempt {
  jobName: string;
  jobType: JobType;
  api: string;
  method: HttpMethod;
  headers: Readonly<Record<string, string>>;
  body: unknown;
  timeoutMs: number;
  successStatuses: readonly string[];
  completion: JobCompletion;
  completionTimeoutMs: number;
  retryPolicy: RetryPolicy | null;
}

/** The fields of an upstream execution that templates may name. */
export interface UpstreamExecution {
  executionId: string;
  jobId: string;
  status: ExecutionStatus;
  responseStatus: number | null;
  /** The first 5,000 characters of its answer. */
  body: string | null;
}

/** The columns that an attempt takes from its job's row `j`, without the body, which its execution may replace. */
export const ATTEMPT_OF_JOB = attemptOfJob({
  jobName: 'name',
  jobType: 'type',
  api: 'api',
  method: 'method',
  headers: 'headers',
  timeoutMs: 'timeout_ms',
  successStatuses: 'success_statuses',
  completion: 'completion',
  completionTimeoutMs: 'completion_timeout_ms',
  maxRetries: 'max_retries',
  backoffStrategy: 'backoff_strategy',
  initialDelayMs: 'initial_delay_ms',
  maxDelayMs: 'max_delay_ms',
  retryJitter: 'retry_jitter',
  retryOn: 'retry_on',
  respectRetryAfter: 'respect_retry_after',
});

function attemptOfJob(columns: Record<string, string>): {
  selection: string;
  names: string;
  /** All columns and the body as one value, without names: writing the names takes longer than writing the values. */
  json: string;
  /** Reads that value. */
  read: (json: readonly unknown[]) => JobOfAttempt;
} {
  const pairs = Object.entries(columns);
  const all = [['body', 'body'] as const, ...pairs];
  return {
    selection: pairs.map(([name, column]) => `j.${column} AS "${name}"`).join(', '),
    names: pairs.map(([name]) => `"${name}"`).join(', '),
    json: `json_build_array(${all.map(([, column]) => `j.${column}`).join(', ')})`,
    read: (json) =>
      jobOf(Object.fromEntries(all.map(([name], index) => [name, json[index]])) as unknown as JobColumns),
  };
}

/** The columns of {@link ATTEMPT_OF_JOB}, and the body. */
type JobColumns = Omit<JobOfAttempt, 'retryPolicy'> & RetryPolicyColumns;

/** A claimed execution from a statement that returns the job's columns beside its own. */
export type ClaimedRow = ExecutionOfAttempt & AttemptStart & JobColumns;

export function claimedOf(row: ClaimedRow): ClaimedExecution {
  return claimedOfJob(row, jobOf(row), row);
}

function jobOf(row: JobColumns): JobOfAttempt {
  return {
    jobName: row.jobName,
    jobType: row.jobType,
    api: row.api,
    method: row.method,
    headers: row.headers,
    body: row.body,
    timeoutMs: row.timeoutMs,
    successStatuses: row.successStatuses,
    completion: row.completion,
    completionTimeoutMs: row.completionTimeoutMs,
    retryPolicy: retryPolicyOf(row),
  };
}

/** The fields are named one by one: two spreads in one object would give each claim its own hidden class. */
export function claimedOfJob(
  execution: ExecutionOfAttempt,
  job: JobOfAttempt,
  own: AttemptStart & { body: unknown },
): ClaimedExecution {
  return {
    id: execution.id,
    jobId: execution.jobId,
    trigger: execution.trigger,
    scheduledAt: execution.scheduledAt,
    startedAt: own.startedAt,
    attemptStartedAt: own.attemptStartedAt,
    attemptCount: execution.attemptCount,
    retryCount: execution.retryCount,
    rescueCount: execution.rescueCount,
    claimSeq: execution.claimSeq,
    host: execution.host,
    upstream: execution.upstream,
    jobName: job.jobName,
    jobType: job.jobType,
    api: job.api,
    method: job.method,
    headers: job.headers,
    body: own.body,
    timeoutMs: job.timeoutMs,
    successStatuses: job.successStatuses,
    completion: job.completion,
    completionTimeoutMs: job.completionTimeoutMs,
    retryPolicy: job.retryPolicy,
  };
}
