import type { PoolClient } from 'pg';
import { lockJobs, type StoredJob } from '../../store/jobs/jobs.ts';
import type { CommandDeps } from '../command-deps.ts';
import { type CommandResult, failWith, validationError } from '../command-result.ts';
import { commandTransaction } from '../command-transaction.ts';

/** Bounds of a change of many jobs, both ends allowed. */
export const BULK_LIMITS = { limit: { min: 1, max: 100_000 }, defaultLimit: 1_000 } as const;

/**
 * Jobs in one transaction: few in the first, so that triggered jobs are called soon, and twice as many in each next one. The
 * largest shares the cost of a transaction well, and still holds the lock of the event log briefly.
 */
const FIRST_CHUNK = 50;
export const LARGEST_CHUNK = 500;

/** Which jobs a command is about. Whoever reads them for lists says so here too. */
export interface JobSelection {
  /** Ids (UUIDs) of up to `limit` selected jobs behind an id, in the order of their ids, without a lock. */
  find: (behind: string | null, limit: number) => Promise<string[]>;
  /** Whether the job, as it is now, is one of them. */
  selects: (job: StoredJob) => boolean;
}

export interface BulkJobsInput {
  jobs: JobSelection;
  /** Oldest first; 1,000 where absent or null. */
  limit?: number | null | undefined;
}

export interface BulkOutcome {
  /** Jobs that were selected, also when they had been locked, up to the limit. */
  matchedCount: number;
  changedCount: number;
}

/**
 * Changes selected jobs in chunks of one transaction each, oldest job first. Each job is looked at again when it is
 * locked: one that is not among the selected any more is passed over. Where a later chunk fails, the earlier ones are
 * done, and the same call again goes on with the rest.
 *
 * @param act changes those of a chunk's jobs that are to be changed; answers how many these were
 */
export async function changeJobs(
  deps: CommandDeps,
  { jobs, limit }: BulkJobsInput,
  act: (tx: PoolClient, matched: readonly StoredJob[], now: Date) => Promise<number>,
): Promise<CommandResult<BulkOutcome>> {
  const { min, max } = BULK_LIMITS.limit;
  const most = limit ?? BULK_LIMITS.defaultLimit;
  if (!Number.isInteger(most) || most < min || most > max) {
    const message = `Must be a whole number from ${min} to ${max}; it is ${most}.`;
    return failWith(validationError([{ path: ['limit'], message }]));
  }

  const outcome: BulkOutcome = { matchedCount: 0, changedCount: 0 };
  let behind: string | null = null;
  for (let chunkSize = FIRST_CHUNK; ; chunkSize = Math.min(2 * chunkSize, LARGEST_CHUNK)) {
    const size = Math.min(chunkSize, most - outcome.matchedCount);
    const found: string[] = size > 0 ? await jobs.find(behind, size) : [];
    if (found.length > 0) {
      const chunk = await commandTransaction(deps, async (tx) => {
        const matched = (await lockJobs(tx, found)).filter(jobs.selects);
        return { matched: matched.length, changed: await act(tx, matched, deps.clock.now()) };
      });
      outcome.matchedCount += chunk.matched;
      outcome.changedCount += chunk.changed;
    }
    if (found.length < size || size === 0) return { ok: true, value: outcome };
    behind = found.at(-1) ?? behind;
  }
}
