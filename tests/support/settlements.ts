import type { Pool } from 'pg';
import type { CallbackWait } from '../../src/store/executions/callbacks.ts';
import type { Settlement } from '../../src/store/executions/settling.ts';
import { plus, START } from './manual-clock.ts';

/** Executions under way, claimed once by another instance. Answers their ids. */
export async function insertRunning(pool: Pool, jobId: string, executions = 1): Promise<string[]> {
  const { rows } = await pool.query<{ id: string }>(
    `INSERT INTO job_executions (id, job_id, status, trigger, created_at, available_at, started_at, attempt_started_at,
       attempt_count, claim_seq, claimed_by, lease_expires_at)
     SELECT gen_random_uuid(), $1, 'RUNNING', 'MANUAL', $2, $2, $2, $2, 1, 1, 'another-instance', $3
     FROM generate_series(1, $4) RETURNING id`,
    [jobId, START, plus(START, 30_000), executions],
  );
  return rows.map(({ id }) => id);
}

/** The first attempt of such an execution, answered with 200. */
export function succeeded(executionId: string): Settlement {
  return {
    executionId,
    claimSeq: 1,
    status: 'SUCCESS',
    availableAt: null,
    attemptFinishedAt: plus(START, 100),
    attemptDurationMs: 100,
    failureReason: null,
    errorMessage: null,
    responseStatus: 200,
    responseHeaders: {},
    responseBody: 'ok',
    responseTruncated: false,
    timings: null,
    request: null,
    instanceLost: false,
    log: { level: 'INFO', message: 'Done.', metadata: null },
  };
}

/** A claim of which no call was made. */
export function uncalled(executionId: string, claimSeq = 1): Settlement {
  return {
    ...succeeded(executionId),
    claimSeq,
    status: 'PENDING',
    attemptDurationMs: null,
    responseStatus: null,
    responseHeaders: null,
    responseBody: null,
    log: { level: 'INFO', message: 'Given back.', metadata: null },
  };
}

/** The same attempt, answered and waiting for its callback for a minute. */
export function awaiting(executionId: string): CallbackWait {
  return { ...succeeded(executionId), deadlineAt: plus(START, 60_100) };
}
