import type { AuditAction } from '../../generated/prisma/enums.ts';
import type { Queryable } from '../statements/sql.ts';
import { toJsonb } from '../statements/sql.ts';

/** How the log names what the scheduler does by itself. */
export const SCHEDULER_ACTOR = 'scheduler';

/** Who changed what, and from where. `before` and `after` hold the changed fields only, secrets masked. */
export interface NewAuditEntry {
  id: string;
  at: Date;
  action: AuditAction;
  actor: string;
  /** Null where it was done to no job in particular. */
  jobId: string | null;
  before: Record<string, unknown> | null;
  after: Record<string, unknown> | null;
  /** Null for what the scheduler does by itself. */
  requestId: string | null;
  address: string | null;
}

/** The statement that writes the entries that a parameter holds. */
export function insertAuditSql(parameter: string): string {
  return insertAuditFrom(`jsonb_to_recordset(${parameter}::jsonb) AS e(id uuid, at timestamptz, action audit_action, actor text,
  "jobId" uuid, before jsonb, after jsonb, "requestId" text, address text)`);
}

/** The same for entries that stand behind FROM, with the names of {@link NewAuditEntry}. */
export function insertAuditFrom(entries: string): string {
  return `INSERT INTO job_audit_log (id, at, action, actor, job_id, before, after, request_id, address)
SELECT id, at, action, actor, "jobId", nullif(before, 'null'::jsonb), nullif(after, 'null'::jsonb), "requestId", address
FROM ${entries}`;
}

/** Writes entries by one statement, in the transaction of the changes that they tell of. */
export async function insertAuditEntries(tx: Queryable, entries: readonly NewAuditEntry[]): Promise<void> {
  if (entries.length === 0) return;
  await tx.query({ name: 'insert-audit-entries', text: insertAuditSql('$1'), values: [toJsonb(entries)] });
}
