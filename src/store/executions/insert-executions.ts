/** The column of each field that a new execution may have. All others get the database's defaults. */
export const EXECUTION_COLUMNS = {
  id: 'id',
  jobId: 'job_id',
  status: 'status',
  trigger: 'trigger',
  scheduledAt: 'scheduled_at',
  createdAt: 'created_at',
  availableAt: 'available_at',
  finishedAt: 'finished_at',
  priority: 'priority',
  host: 'host',
  maxAttempts: 'max_attempts',
  slotCount: 'slot_count',
  bodyOverride: 'body_override',
  idempotencyKey: 'idempotency_key',
  redriveOfId: 'redrive_of_id',
  skipReason: 'skip_reason',
  errorMessage: 'error_message',
  claimSeq: 'claim_seq',
  claimedBy: 'claimed_by',
  leaseExpiresAt: 'lease_expires_at',
  attemptCount: 'attempt_count',
  attemptStartedAt: 'attempt_started_at',
  startedAt: 'started_at',
  latenessMs: 'lateness_ms',
} as const;

type Field = keyof typeof EXECUTION_COLUMNS;
type RequiredField =
  'id' | 'jobId' | 'status' | 'trigger' | 'createdAt' | 'availableAt' | 'priority' | 'host' | 'maxAttempts';
/** Follows from the status: {@link Skip}. */
type SkipField = 'finishedAt' | 'skipReason' | 'errorMessage';

/** The extra fields of an execution that is inserted as SKIPPED, each as an SQL expression. */
interface Skip {
  reason: string;
  errorMessage: string;
}

/** An SQL expression for each field of new executions. */
type NewExecutions = Readonly<Record<RequiredField, string>> &
  Readonly<Partial<Record<Exclude<Field, RequiredField | SkipField>, string>>> & {
    /** Missing when none of them is skipped. */
    skip?: Skip;
  };

/**
 * The statement that inserts executions, one for each row of `from`. It inserts all executions of the scheduler.
 * Callers combine it with the other parts of their statement.
 */
export function insertExecutionsSql({ skip, ...given }: NewExecutions, from: string): string {
  const values: Partial<Record<Field, string>> = { ...given, ...(skip && skipValues(given, skip)) };
  const fields = (Object.keys(EXECUTION_COLUMNS) as Field[]).filter((field) => values[field] !== undefined);
  return `INSERT INTO job_executions (${fields.map((field) => EXECUTION_COLUMNS[field]).join(', ')})
  SELECT ${fields.map((field) => values[field]).join(', ')}
  FROM ${from}`;
}

/** A skipped execution ends when it is inserted. */
function skipValues(
  { status, createdAt }: Pick<NewExecutions, 'status' | 'createdAt'>,
  { reason, errorMessage }: Skip,
): Record<SkipField, string> {
  const isSkipped = `${status} = 'SKIPPED'`;
  return {
    finishedAt: `CASE WHEN ${isSkipped} THEN ${createdAt} END`,
    skipReason: `CASE WHEN ${isSkipped} THEN ${reason} END`,
    errorMessage,
  };
}
