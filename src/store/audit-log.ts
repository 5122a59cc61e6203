import type { AuditAction } from '../generated/prisma/enums.ts';
import type { Queryable } from './sql.ts';
import { toJsonb } from './sql.ts';

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

/** Writes entries by one statement, in the transaction of the changes that they tell of. */
export async function insertAuditEntries(tx: Queryable, entries: readonly NewAuditEntry[]): Promise<void> {
  if (entries.length === 0) return;
  await tx.query({
    name: 'insert-audit-entries',
    text: `INSERT INTO job_audit_log (id, at, action, actor, job_id, before, after, request_id, address)
SELECT id, at, action, actor, "jobId", nullif(before, 'null'::jsonb), nullif(after, 'null'::jsonb), "requestId", address
FROM jsonb_to_recordset($1::jsonb) AS e(id uuid, at timestamptz, action audit_action, actor text, "jobId" uuid,
  before jsonb, after jsonb, "requestId" text, address text)`,
    values: [toJsonb(entries)],
  });
}

/** Writes one entry, in the transaction of the change that it tells of. */
export async function insertAuditEntry(tx: Queryable, entry: NewAuditEntry): Promise<void> {
  await tx.query({
    name: 'insert-audit-entry',
    text: `INSERT INTO job_audit_log (id, at, action, actor, job_id, before, after, request_id, address)
VALUES ($1, $2, $3::audit_action, $4, $5, $6::jsonb, $7::jsonb, $8, $9)`,
    values: [
      entry.id,
      entry.at,
      entry.action,
      entry.actor,
      entry.jobId,
      entry.before && toJsonb(entry.before),
      entry.after && toJsonb(entry.after),
      entry.requestId,
      entry.address,
    ],
  });
}
