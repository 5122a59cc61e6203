/** The column of each field that a new execution may have; the database gives all others their defaults. */
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

/** What an execution is given that enters the table as SKIPPED; each an SQL expression. */
interface Skip {
  reason: string;
  errorMessage: string;
}

/** An SQL expression for each field of new executions. */
type NewExecutions = Readonly<Record<RequiredField, string>> &
  Readonly<Partial<Record<Exclude<Field, RequiredField | SkipField>, string>>> & {
    /** Missing where none of them is skipped. */
    skip?: Skip;
  };

/**
 * The statement that inserts executions, one for each row of `from`. All executions are inserted by it, whoever makes them:
 * it is composed with what decides about them, and with what else must happen in the same statement.
 */
export function insertExecutionsSql({ skip, ...given }: NewExecutions, from: string): string {
  const values: Partial<Record<Field, string>> = { ...given, ...(skip && skipValues(given, skip)) };
  const fields = (Object.keys(EXECUTION_COLUMNS) as Field[]).filter((field) => values[field] !== undefined);
  return `INSERT INTO job_executions (${fields.map((field) => EXECUTION_COLUMNS[field]).join(', ')})
  SELECT ${fields.map((field) => values[field]).join(', ')}
  FROM ${from}`;
}

/** An execution that is skipped ends as it is made. */
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
