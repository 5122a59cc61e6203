import type { PoolClient } from 'pg';
import { encodePublicId } from '../../domain/values/public-id.ts';
import { recordChanges } from '../../store/executions/recording.ts';
import { type FoundDeadLetter, lockOpenDeadLetters } from '../../store/executions/dead-letters.ts';
import { insertRedrives, lockLiveJobs } from '../../store/executions/redriving.ts';
import type { Caller, CommandDeps } from '../command-deps.ts';
import type { CommandResult } from '../command-result.ts';
import { auditPerJob, inChunks } from './dead-letter-chunks.ts';
import { checkDeadLetters, type DeadLettersInput } from './dead-letter-selection.ts';

/**
 * Runs failed executions again: one new execution per open dead letter, however many ask at once, with the job as it is
 * now and the body of the failed one. Where the job's executions may not overlap, they wait for their turn. Dead letters
 * that are not open any more, and those of deleted jobs, are passed over.
 *
 * @returns ids (UUIDs) of the new executions, in the order of the failures
 */
export async function redriveDeadLetters(
  deps: CommandDeps,
  by: Caller,
  input: DeadLettersInput,
): Promise<CommandResult<{ executionIds: string[] }>> {
  const checked = checkDeadLetters(input);
  if (!checked.ok) return checked;
  const { selection, limit } = checked.value;
  const { results } = await inChunks(deps, { ...selection, ofLiveJobsOnly: true }, limit, (tx, found) =>
    redriveChunk(tx, deps, by, found),
  );
  return { ok: true, value: { executionIds: results } };
}

/** Locks jobs, then dead letters, as all do who take both. */
async function redriveChunk(
  tx: PoolClient,
  deps: CommandDeps,
  by: Caller,
  found: readonly FoundDeadLetter[],
): Promise<string[]> {
  const liveJobs = await lockLiveJobs(tx, [...new Set(found.map(({ jobId }) => jobId))]);
  const locked = await lockOpenDeadLetters(
    tx,
    found.filter(({ jobId }) => liveJobs.has(jobId)).map(({ id }) => id),
  );
  const isLocked = new Set(locked.map(({ id }) => id));
  const letters = found.filter(({ id }) => isLocked.has(id));
  const now = deps.clock.now();
  const redrives = letters.map(({ id, jobId }) => ({ id: deps.newId(now), jobId, redriveOfId: id }));
  const events = await insertRedrives(tx, liveJobs, redrives, now);
  const pairs = redrives.map(({ id, jobId, redriveOfId }) => ({ id: redriveOfId, jobId, executionId: id }));
  const audit = auditPerJob(deps, by, 'REDRIVEN', pairs, now, (ofJob) => ({
    executionIds: ofJob.map(({ executionId }) => encodePublicId('Execution', executionId)),
  }));
  await recordChanges(tx, { audit, events });
  return redrives.map(({ id }) => id);
}
