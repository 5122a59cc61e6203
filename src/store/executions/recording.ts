import { insertAuditEntries, insertAuditSql, type NewAuditEntry } from '../events/audit-log.ts';
import { appendBehind, type NewEvent } from '../events/append-events.ts';
import { rowOf } from '../jobs/job-row.ts';
import { insertJobsSql, type StoredJob } from '../jobs/jobs.ts';
import type { Queryable } from '../statements/sql.ts';
import { toJsonb } from '../statements/sql.ts';

/** The records of changes: entries for the audit log, and events for the event log. */
export interface ChangeRecord {
  audit: readonly NewAuditEntry[];
  events: readonly NewEvent[];
}

const RECORD = appendBehind({ audit: insertAuditSql('$2') });

const INSERT_JOB = appendBehind(
  { job: insertJobsSql('$3'), audit: insertAuditSql('$2') },
  { mayHoldEnds: false },
);

/**
 * Records changes in one statement. It must be the last of its transaction, because the event log's lock must be
 * taken last.
 */
export async function recordChanges(tx: Queryable, { audit, events }: ChangeRecord): Promise<void> {
  if (events.length === 0) return insertAuditEntries(tx, audit);
  await tx.query({ name: 'record-changes', text: RECORD, values: [toJsonb(events), toJsonb(audit)] });
}

/**
 * Inserts a job without tags and records it, in one statement. The statement may be its own transaction. A taken key
 * throws; see `isKeyTaken`.
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
