import type {
  EventKind,
  ExecutionStatus,
  ExecutionTrigger,
  FailureReason,
} from '../../generated/prisma/enums.ts';

/** One row of the log. Instants are Dates, `position` is a bigint as the column is. */
export interface EventRow {
  position: bigint;
  at: Date;
  kind: EventKind;
  jobId: string | null;
  executionId: string | null;
  status: ExecutionStatus | null;
  previousStatus: ExecutionStatus | null;
  attempt: number | null;
  trigger: ExecutionTrigger | null;
  createdAt: Date | null;
  scheduledAt: Date | null;
  startedAt: Date | null;
  finishedAt: Date | null;
  durationMs: number | null;
  latenessMs: number | null;
  failureReason: FailureReason | null;
  responseStatus: number | null;
  errorMessage: string | null;
  instanceId: string | null;
  data: unknown;
}

/** The column and the SQL type of each field that is given to the log; the log itself gives the position. */
export const EVENT_FIELDS = {
  at: { column: 'at', type: 'timestamptz' },
  kind: { column: 'kind', type: 'event_kind' },
  jobId: { column: 'job_id', type: 'uuid' },
  executionId: { column: 'execution_id', type: 'uuid' },
  status: { column: 'status', type: 'execution_status' },
  previousStatus: { column: 'previous_status', type: 'execution_status' },
  attempt: { column: 'attempt', type: 'int' },
  trigger: { column: 'trigger', type: 'execution_trigger' },
  createdAt: { column: 'created_at', type: 'timestamptz' },
  scheduledAt: { column: 'scheduled_at', type: 'timestamptz' },
  startedAt: { column: 'started_at', type: 'timestamptz' },
  finishedAt: { column: 'finished_at', type: 'timestamptz' },
  durationMs: { column: 'duration_ms', type: 'int' },
  latenessMs: { column: 'lateness_ms', type: 'int' },
  failureReason: { column: 'failure_reason', type: 'failure_reason' },
  responseStatus: { column: 'response_status', type: 'int' },
  errorMessage: { column: 'error_message', type: 'text' },
  instanceId: { column: 'instance_id', type: 'text' },
  data: { column: 'data', type: 'jsonb' },
} as const satisfies Record<Exclude<keyof EventRow, 'position'>, { column: string; type: string }>;

export type EventField = keyof typeof EVENT_FIELDS;
