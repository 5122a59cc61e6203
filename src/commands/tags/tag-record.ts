import { isDeepStrictEqual } from 'node:util';
import type { PoolClient } from 'pg';
import { encodePublicId } from '../../domain/values/public-id.ts';
import type { NewAuditEntry } from '../../store/events/audit-log.ts';
import type { NewEvent } from '../../store/events/append-events.ts';
import { recordChanges } from '../../store/executions/recording.ts';
import type { StoredTag } from '../../store/tags/tags.ts';
import type { Caller, CommandDeps } from '../command-deps.ts';

export interface TagRecord {
  action: NewAuditEntry['action'];
  /** Null where it is new, or gone. */
  before: StoredTag | null;
  after: StoredTag | null;
  now: Date;
}

/**
 * Writes down a change of a tag: audit entry, then event. Must be the transaction's last step, because the event log's
 * lock is to be the last one taken.
 */
export async function recordTagChange(
  tx: PoolClient,
  deps: CommandDeps,
  by: Caller,
  record: TagRecord,
): Promise<void> {
  await recordChanges(tx, { audit: [tagAuditEntryOf(deps, by, record)], events: tagEventsOf(record) });
}

/** The audit entry of a change of a tag. */
export function tagAuditEntryOf(
  deps: CommandDeps,
  by: Caller,
  { action, before, after, now }: TagRecord,
): NewAuditEntry {
  return {
    id: deps.newId(now),
    at: now,
    action,
    actor: by.actor,
    jobId: null,
    before: before && factsOf(before, after),
    after: after && factsOf(after, before),
    requestId: by.requestId,
    address: by.address,
  };
}

/** Where jobs have other tags by a change of one, a single event for all of them. */
export function tagEventsOf({ before, after, now: at }: TagRecord): NewEvent[] {
  if (before === null || before.name === after?.name) return [];
  const kind = after === null ? 'TAG_DELETED' : 'TAG_RENAMED';
  const tags = after === null ? [] : [after.name];
  return [{ at, kind, data: { previousTags: [before.name], tags } }];
}

/** What a tag was or is: all of it, or as far as it differs, and always which one. */
function factsOf(tag: StoredTag, other: StoredTag | null): Record<string, unknown> {
  const { name, color } = tag;
  const facts = Object.entries({ name, color }).filter(
    ([field, value]) => other === null || !isDeepStrictEqual(value, other[field as 'name' | 'color']),
  );
  return { tagId: encodePublicId('Tag', tag.id), ...Object.fromEntries(facts) };
}
