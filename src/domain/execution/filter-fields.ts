/** What a condition may ask of an execution, and of the job that it belongs to. */
export type ExecutionField =
  | 'id'
  | 'jobId'
  | 'status'
  | 'trigger'
  | 'failureReason'
  | 'tags'
  | 'scheduledAt'
  | 'startedAt'
  | 'finishedAt'
  | 'createdAt'
  | 'durationMs'
  | 'latenessMs'
  | 'responseStatus'
  | 'errorMessage'
  | 'instanceId';

/** What a condition may ask of a job. */
export type JobField = 'id' | 'key' | 'name' | 'status' | 'api' | 'tags' | 'nextRunAt' | 'createdAt';
