import { insertAuditEntries } from '../../store/events/audit-log.ts';
import { discard, lockOpenDeadLetters } from '../../store/executions/dead-letters.ts';
import type { Caller, CommandDeps } from '../command-deps.ts';
import type { CommandResult } from '../command-result.ts';
import { auditPerJob, inChunks } from './dead-letter-chunks.ts';
import { checkDeadLetters, type DeadLettersInput } from './dead-letter-selection.ts';

/**
 * Gives failed executions up: they leave the queue, and retention may prune them. Dead letters that are not open any
 * more are passed over.
 *
 * @returns how many open ones were selected, and how many of them this call closed; they differ where another command
 *   was quicker
 */
export async function discardDeadLetters(
  deps: CommandDeps,
  by: Caller,
  input: DeadLettersInput,
): Promise<CommandResult<{ matchedCount: number; changedCount: number }>> {
  const checked = checkDeadLetters(input);
  if (!checked.ok) return checked;
  const { selection, limit } = checked.value;
  const { matchedCount, results } = await inChunks(
    deps,
    { ...selection, ofLiveJobsOnly: false },
    limit,
    async (tx, found) => {
      const letters = await lockOpenDeadLetters(
        tx,
        found.map(({ id }) => id),
      );
      const now = deps.clock.now();
      await discard(
        tx,
        letters.map(({ id }) => id),
        now,
      );
      await insertAuditEntries(tx, auditPerJob(deps, by, 'DISCARDED', letters, now));
      return letters;
    },
  );
  return { ok: true, value: { matchedCount, changedCount: results.length } };
}
