import type { ExecutionStatus, ExecutionTrigger } from '../domain/execution.ts';
import type { HttpMethod } from '../domain/http-method.ts';
import type { RetryPolicy } from '../domain/retry.ts';
import type { JobCompletion, JobType } from '../generated/prisma/enums.ts';
import { retryPolicyOf, type RetryPolicyColumns } from './retry-policy-columns.ts';

/** An execution that this instance holds, with all that its attempt needs of the job as it is now. */
export interface ClaimedExecution {
  id: string;
  jobId: string;
  trigger: ExecutionTrigger;
  scheduledAt: Date | null;
  startedAt: Date;
  attemptStartedAt: Date;
  /** The attempt that this claim is for, from 1. */
  attemptCount: number;
  retryCount: number;
  rescueCount: number;
  /** Fences every later write of this holder. */
  claimSeq: number;
  host: string;
  jobName: string;
  jobType: JobType;
  api: string;
  method: HttpMethod;
  headers: Record<string, string>;
  body: unknown;
  timeoutMs: number;
  successStatuses: string[];
  completion: JobCompletion;
  completionTimeoutMs: number;
  retryPolicy: RetryPolicy | null;
  /**
   * Of the executions whose end set this one off, the one that ended last; null where there was none, and where the
   * request holds no template that could ask for it.
   */
  upstream: UpstreamExecution | null;
}

/** What templates may name of an execution that set another one off. */
export interface UpstreamExecution {
  executionId: string;
  jobId: string;
  status: ExecutionStatus;
  responseStatus: number | null;
  /** The first 5,000 characters of its answer. */
  body: string | null;
}

/** What an attempt takes from its job's row `j`, but for the body, which its execution may replace. */
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

function attemptOfJob(columns: Record<string, string>): { selection: string; names: string } {
  const pairs = Object.entries(columns);
  return {
    selection: pairs.map(([name, column]) => `j.${column} AS "${name}"`).join(', '),
    names: pairs.map(([name]) => `"${name}"`).join(', '),
  };
}

/** A claimed execution as a statement answers it. */
export type ClaimedRow = Omit<ClaimedExecution, 'retryPolicy'> & RetryPolicyColumns;

export function claimedOf(row: ClaimedRow): ClaimedExecution {
  return { retryPolicy: retryPolicyOf(row), ...row };
}
