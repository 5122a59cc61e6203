import { insertAuditEntries, insertAuditSql, type NewAuditEntry } from './audit-log.ts';
import { appendBehind, type NewEvent } from './event-log.ts';
import { rowOf } from './job-row.ts';
import { insertJobsSql, type StoredJob } from './jobs.ts';
import {
  insertManualExecutionsSql,
  manualExecutionRow,
  type NewManualExecution,
} from './manual-executions.ts';
import type { Queryable } from './sql.ts';
import { toJsonb } from './sql.ts';

/** What is told of changes: to those who ask later who did it, and to those who follow the log. */
export interface ChangeRecord {
  audit: readonly NewAuditEntry[];
  events: readonly NewEvent[];
}

const RECORD = appendBehind({ audit: insertAuditSql('$2') });

const INSERT_JOB = appendBehind(
  { job: insertJobsSql('$3'), audit: insertAuditSql('$2') },
  { mayHoldEnds: false },
);

const INSERT_MANUAL = appendBehind({
  execution: insertManualExecutionsSql('$3'),
  audit: insertAuditSql('$2'),
});

/**
 * One job, locked, unless it is deleted, has another version than $5, or limits its executions (`isLimited` in SQL). What
 * it waits for is looked at again as it is then: a job that was limited meanwhile is not found.
 */
const HOLD_UNLIMITED = `SELECT id, api, priority, max_retries FROM jobs
  WHERE id = $4 AND status <> 'DELETED' AND version = coalesce($5, version)
    AND concurrency_policy = 'ALLOW' AND max_concurrency IS NULL
  FOR NO KEY UPDATE`;

const INSERT_UNLIMITED = appendBehind(
  {
    execution: `${insertManualExecutionsSql('$3', 'held')}
  ON CONFLICT (job_id, idempotency_key) WHERE idempotency_key IS NOT NULL DO NOTHING`,
    audit: `${insertAuditSql('$2')} WHERE EXISTS (SELECT FROM execution)`,
  },
  { held: HOLD_UNLIMITED, mayHoldEnds: false },
);

/**
 * Writes down changes, in one statement: the last one of their transaction, because the event log's lock is to be the last
 * one taken.
 */
export async function recordChanges(tx: Queryable, { audit, events }: ChangeRecord): Promise<void> {
  if (events.length === 0) return insertAuditEntries(tx, audit);
  await tx.query({ name: 'record-changes', text: RECORD, values: [toJsonb(events), toJsonb(audit)] });
}

/**
 * Inserts a job without tags and writes it down, in one statement, which may be its own transaction. A taken key throws;
 * see `isKeyTaken`.
 */
export async function insertRecordedJob(
  db: Queryable,
  job: StoredJob,
  { audit, events }: ChangeRecord,
): Promise<void> {
  await db.query({
    name: 'insert-recorded-job',
    text: INSERT_JOB,
    values: [toJsonb(events), toJsonb(audit), toJsonb([rowOf(job)])],
  });
}

/**
 * Inserts an execution of a job without limits and writes it down, in one statement, which may be its own transaction: the
 * job is locked by it, and no execution beside it has to be counted, which would take a second look.
 *
 * @returns whether it did; not where the job is limited, deleted or of another version, nor where it has an execution with
 *   the idempotency key
 */
export async function insertRecordedUnlimited(
  db: Queryable,
  execution: NewManualExecution,
  expectedVersion: number | null,
  { audit, events }: ChangeRecord,
): Promise<boolean> {
  const { rowCount } = await db.query({
    name: 'insert-recorded-unlimited',
    text: INSERT_UNLIMITED,
    values: [
      toJsonb(events),
      toJsonb(audit),
      toJsonb([manualExecutionRow(execution)]),
      execution.jobId,
      expectedVersion,
    ],
  });
  return rowCount !== 0;
}

/** Inserts executions, whose jobs' rows the transaction must hold, and writes them down: its last statement. */
export async function insertRecordedExecutions(
  tx: Queryable,
  executions: readonly NewManualExecution[],
  { audit, events }: ChangeRecord,
): Promise<void> {
  if (executions.length === 0) return recordChanges(tx, { audit, events });
  await tx.query({
    name: 'insert-recorded-executions',
    text: INSERT_MANUAL,
    values: [toJsonb(events), toJsonb(audit), toJsonb(executions.map(manualExecutionRow))],
  });
}
