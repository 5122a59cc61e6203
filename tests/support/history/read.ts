import type { Pool } from 'pg';
import type { ExecutionStatus, ExecutionTrigger } from '../../../src/domain/execution/execution.ts';
import type { SlotFacts } from '../../../src/domain/schedule/job-slots.ts';
import type { RetryPolicy } from '../../../src/domain/execution/retry.ts';
import { readEvents } from '../../../src/store/events/event-log.ts';
import type { EventRow } from '../../../src/store/events/event-row.ts';
import {
  retryPolicyOf,
  type RetryPolicyColumns,
} from '../../../src/domain/execution/retry-policy-columns.ts';
import { inTransaction } from '../../../src/store/statements/sql.ts';

export type HistoryJob = SlotFacts & {
  id: string;
  status: 'ACTIVE' | 'PAUSED' | 'COMPLETED' | 'DELETED';
  type: 'ATLEAST_ONCE' | 'ATMOST_ONCE';
  nextRunAt: Date | null;
  retryPolicy: RetryPolicy | null;
};

export type HistoryExecution = {
  id: string;
  jobId: string;
  status: ExecutionStatus;
  trigger: ExecutionTrigger;
  scheduledAt: Date | null;
  startedAt: Date | null;
  finishedAt: Date | null;
  durationMs: number | null;
  latenessMs: number | null;
  attemptCount: number;
  slotCount: number;
  failureReason: string | null;
  responseStatus: number | null;
  errorMessage: string | null;
  isDeadLetter: boolean;
};

export type HistoryAttempt = {
  executionId: string;
  number: number;
  startedAt: Date;
  instanceId: string;
  responseStatus: number | null;
};

/** Everything that a database says happened, with UUIDs as ids. */
export type History = {
  jobs: HistoryJob[];
  executions: HistoryExecution[];
  /** By execution and number. */
  attempts: HistoryAttempt[];
  /** By position. */
  events: EventRow[];
};

const JOBS = `
SELECT id, status, type, schedule, timezone, run_at AS "runAt", start_at AS "startAt", end_at AS "endAt",
  created_at AS "createdAt", dst_gap_policy AS "dstGapPolicy", dst_overlap_policy AS "dstOverlapPolicy",
  next_run_at AS "nextRunAt", max_retries AS "maxRetries", backoff_strategy AS "backoffStrategy",
  initial_delay_ms AS "initialDelayMs", max_delay_ms AS "maxDelayMs", retry_jitter AS "retryJitter",
  retry_on AS "retryOn", respect_retry_after AS "respectRetryAfter"
FROM jobs ORDER BY id`;

const EXECUTIONS = `
SELECT e.id, e.job_id AS "jobId", e.status, e.trigger, e.scheduled_at AS "scheduledAt", e.started_at AS "startedAt",
  e.finished_at AS "finishedAt", e.duration_ms AS "durationMs", e.lateness_ms AS "latenessMs",
  e.attempt_count AS "attemptCount", e.slot_count AS "slotCount", e.failure_reason AS "failureReason",
  e.response_status AS "responseStatus", e.error_message AS "errorMessage", d.execution_id IS NOT NULL AS "isDeadLetter"
FROM job_executions AS e LEFT JOIN failed_jobs_dlq AS d ON d.execution_id = e.id
ORDER BY e.id`;

const ATTEMPTS = `
SELECT execution_id AS "executionId", number, started_at AS "startedAt", instance_id AS "instanceId",
  response_status AS "responseStatus"
FROM all_execution_attempts ORDER BY execution_id, number`;

/** More than any test writes. */
const EVENT_LIMIT = 10_000_000;

/** Reads it in one snapshot, so that servers may go on meanwhile. */
export async function readHistory(pool: Pool): Promise<History> {
  return inTransaction(pool, async (tx) => {
    await tx.query('SET TRANSACTION ISOLATION LEVEL REPEATABLE READ');
    const jobs = await tx.query<HistoryJob & RetryPolicyColumns>(JOBS);
    return {
      jobs: jobs.rows.map((job) => ({ ...job, retryPolicy: retryPolicyOf(job) })),
      executions: (await tx.query<HistoryExecution>(EXECUTIONS)).rows,
      attempts: (await tx.query<HistoryAttempt>(ATTEMPTS)).rows,
      events: await readEvents(tx, 0n, EVENT_LIMIT),
    };
  });
}

/** Things by the execution that they belong to, each list in the order it came in. */
export function byExecution<T extends { executionId: string | null }>(
  things: readonly T[],
): Map<string, T[]> {
  const found = new Map<string, T[]>();
  for (const thing of things) {
    if (thing.executionId === null) continue;
    const list = found.get(thing.executionId) ?? [];
    list.push(thing);
    found.set(thing.executionId, list);
  }
  return found;
}
