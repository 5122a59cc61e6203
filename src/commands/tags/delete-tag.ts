import type { PoolClient } from 'pg';
import { decodePublicId } from '../../domain/values/public-id.ts';
import { recordChanges } from '../../store/executions/recording.ts';
import { replaceJobTags } from '../../store/tags/job-tags.ts';
import { lockJobs, type StoredJob, updateJobs } from '../../store/jobs/jobs.ts';
import {
  deleteTag as removeTag,
  findTag,
  jobsWithTag,
  lockTagNames,
  type StoredTag,
} from '../../store/tags/tags.ts';
import type { Caller, CommandDeps } from '../command-deps.ts';
import { type CommandResult, failWith } from '../command-result.ts';
import { commandTransaction } from '../command-transaction.ts';
import { auditEntryOf, eventsOf, type JobRecord } from '../jobs/job-record.ts';
import { tagNotFound } from './tag-checks.ts';
import { tagAuditEntryOf, tagEventsOf, type TagRecord } from './tag-record.ts';

/** Jobs in one transaction: enough to share its cost, few enough that the event log's lock is held briefly. */
export const DELETE_TAG_CHUNK = 500;

/**
 * Deletes a tag. Jobs that have it lose it, in transactions of 500, and the tag goes with the last of them: a call that
 * breaks off is repeated to go on with the rest.
 *
 * @returns id (a UUID) of the tag
 */
export async function deleteTag(
  deps: CommandDeps,
  by: Caller,
  { id }: { id: string },
): Promise<CommandResult<{ id: string }>> {
  const uuid = decodePublicId('Tag', id);
  if (uuid === null) return failWith(tagNotFound(id));
  for (let untagged = 0; ;) {
    const step = await commandTransaction(deps, async (tx) => {
      await lockTagNames(tx);
      const tag = await findTag(tx, uuid);
      return tag === null ? 'absent' : takeOff(tx, deps, by, tag);
    });
    // Gone between two chunks: somebody else deletes it too, and has just finished.
    if (step === 'absent' && untagged === 0) return failWith(tagNotFound(id));
    if (step === 'absent' || step < DELETE_TAG_CHUNK) return { ok: true, value: { id: uuid } };
    untagged += step;
  }
}

/** Takes the tag off one chunk of jobs; with the last one, deletes it. Answers how many jobs had it. */
async function takeOff(tx: PoolClient, deps: CommandDeps, by: Caller, tag: StoredTag): Promise<number> {
  const now = deps.clock.now();
  const found = await jobsWithTag(tx, tag.id, DELETE_TAG_CHUNK);
  const jobs = await lockJobs(tx, found);
  const changes = jobs
    .filter(({ status }) => status !== 'DELETED')
    .map((before): JobRecord => {
      const after = withoutTag(before, tag.name, now);
      return { action: 'UNTAGGED', before, after, now, kinds: ['JOB_UPDATED'] };
    });
  const untagged = changes.map(({ after }) => after);
  await updateJobs(tx, untagged);
  await replaceJobTags(tx, untagged, now, deps.newId);

  const last: TagRecord[] =
    found.length < DELETE_TAG_CHUNK ? [{ action: 'TAG_DELETED', before: tag, after: null, now }] : [];
  if (last.length > 0) await removeTag(tx, tag.id);
  await recordChanges(tx, {
    audit: [
      ...changes.map((change) => auditEntryOf(deps, by, change)),
      ...last.map((record) => tagAuditEntryOf(deps, by, record)),
    ],
    events: [...changes.flatMap(eventsOf), ...last.flatMap(tagEventsOf)],
  });
  return found.length;
}

function withoutTag(job: StoredJob, name: string, now: Date): StoredJob {
  const tags = job.tags.filter((tag) => tag !== name);
  return { ...job, tags, version: job.version + 1, updatedAt: now };
}
