import { encodePublicId } from '../../domain/values/public-id.ts';
import type { StoredApiKey } from '../../store/access/api-keys.ts';
import { insertAuditEntries, type NewAuditEntry } from '../../store/events/audit-log.ts';
import type { Queryable } from '../../store/statements/sql.ts';
import type { Caller, CommandDeps } from '../command-deps.ts';

/** What the audit log says of a change of a key: never its text, and never a hash of it. */
export interface KeyRecord {
  action: NewAuditEntry['action'];
  key: StoredApiKey;
  before: Record<string, unknown> | null;
  after: Record<string, unknown>;
  now: Date;
}

/** Writes the audit entry of a change of a key. */
export async function recordKeyChange(
  tx: Queryable,
  { newId }: Pick<CommandDeps, 'newId'>,
  by: Caller,
  { action, key, before, after, now }: KeyRecord,
): Promise<void> {
  const which = { apiKeyId: encodePublicId('ApiKey', key.id), name: key.name };
  await insertAuditEntries(tx, [
    {
      id: newId(now),
      at: now,
      action,
      actor: by.actor,
      jobId: null,
      before: before && { ...which, ...before },
      after: { ...which, ...after },
      requestId: by.requestId,
      address: by.address,
    },
  ]);
}
