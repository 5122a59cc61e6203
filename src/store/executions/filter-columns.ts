import { type ExecutionStatus, isFinished } from '../../domain/execution/execution.ts';
import type { ExecutionField, JobField } from '../../domain/execution/filter-fields.ts';
import type { SqlColumn, ImpliedCondition } from '../statements/condition-sql.ts';

/** The columns of the fields of a condition on executions, in statements with the table alias `e`. */
export const EXECUTION_COLUMNS: Readonly<Record<ExecutionField, SqlColumn>> = {
  id: { sql: 'e.id', type: 'uuid' },
  jobId: { sql: 'e.job_id', type: 'uuid' },
  status: { sql: 'e.status', type: 'execution_status', impliedBy: impliedByStatus },
  trigger: { sql: 'e.trigger', type: 'execution_trigger' },
  failureReason: { sql: 'e.failure_reason', type: 'failure_reason' },
  tags: { tagsOfJob: 'e.job_id' },
  scheduledAt: { sql: 'e.scheduled_at', type: 'timestamptz' },
  startedAt: { sql: 'e.started_at', type: 'timestamptz' },
  finishedAt: { sql: 'e.finished_at', type: 'timestamptz' },
  createdAt: { sql: 'e.created_at', type: 'timestamptz' },
  durationMs: { sql: 'e.duration_ms', type: 'int' },
  latenessMs: { sql: 'e.lateness_ms', type: 'int' },
  responseStatus: { sql: 'e.response_status', type: 'int' },
  errorMessage: { sql: 'e.error_message', type: 'text' },
  instanceId: { sql: 'e.claimed_by', type: 'text' },
};

/** The same for jobs, with the table alias `j`. */
export const JOB_COLUMNS: Readonly<Record<JobField, SqlColumn>> = {
  id: { sql: 'j.id', type: 'uuid' },
  key: { sql: 'j.key', type: 'text' },
  name: { sql: 'j.name', type: 'text' },
  status: { sql: 'j.status', type: 'job_status' },
  api: { sql: 'j.api', type: 'text' },
  tags: { tagsOfJob: 'j.id' },
  nextRunAt: { sql: 'j.next_run_at', type: 'timestamptz' },
  createdAt: { sql: 'j.created_at', type: 'timestamptz' },
};

/** Partial indexes of executions use these columns. CHECK constraints make the columns agree with the status. */
function impliedByStatus(statuses: readonly (string | number)[]): ImpliedCondition | null {
  if (statuses.length === 0) return null;
  if (statuses.every((status) => status === 'FAILED'))
    return { sql: 'e.failure_reason IS NOT NULL', isEquivalent: true };
  if (statuses.every((status) => status === 'SKIPPED'))
    return { sql: 'e.skip_reason IS NOT NULL', isEquivalent: true };
  return statuses.some((status) => isFinished(status as ExecutionStatus))
    ? null
    : { sql: 'e.finished_at IS NULL', isEquivalent: false };
}
