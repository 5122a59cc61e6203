import type { PoolClient } from 'pg';
import { groupBy } from '../../domain/values/group-by.ts';
import { encodePublicId } from '../../domain/values/public-id.ts';
import type { NewAuditEntry } from '../../store/events/audit-log.ts';
import {
  type DeadLetterPlace,
  type DeadLetterSelection,
  findOpenDeadLetters,
} from '../../store/executions/dead-letters.ts';
import type { FoundDeadLetter } from '../../store/executions/dead-letters.ts';
import type { Caller, CommandDeps } from '../command-deps.ts';
import { commandTransaction } from '../command-transaction.ts';

/** Dead letters in one transaction: enough to share its cost, few enough that the event log's lock is held briefly. */
export const DEAD_LETTER_CHUNK = 500;

/** What a command on dead letters came to. */
export interface ChunkedOutcome<T> {
  /** Open dead letters that the selection named, up to the limit. */
  matchedCount: number;
  /** What `act` answered, in order. */
  results: T[];
}

/**
 * Works on open dead letters in chunks of one transaction each, oldest failure first. Each chunk begins behind the last
 * one, so that what cannot be worked on is passed, not tried for ever. Where a later chunk fails, the earlier ones are
 * done; the same call again goes on with the rest.
 *
 * @param act works on those of the dead letters that it can still lock
 */
export async function inChunks<T>(
  deps: CommandDeps,
  selection: DeadLetterSelection,
  limit: number,
  act: (tx: PoolClient, found: readonly FoundDeadLetter[]) => Promise<T[]>,
): Promise<ChunkedOutcome<T>> {
  const results: T[] = [];
  let matchedCount = 0;
  let behind: DeadLetterPlace | null = null;
  for (;;) {
    const size = Math.min(DEAD_LETTER_CHUNK, limit - matchedCount);
    if (size <= 0) break;
    const from: DeadLetterPlace | null = behind;
    const chunk = await commandTransaction(deps, async (tx) => {
      const found = await findOpenDeadLetters(tx, selection, from, size);
      return { found, done: found.length > 0 ? await act(tx, found) : [] };
    });
    results.push(...chunk.done);
    matchedCount += chunk.found.length;
    behind = chunk.found.at(-1) ?? behind;
    if (chunk.found.length < size) break;
  }
  return { matchedCount, results };
}

/** A dead letter that was worked on. */
interface AuditedLetter {
  id: string;
  jobId: string;
}

/**
 * One audit entry per job of a chunk, with the dead letters that were worked on.
 *
 * @param more what else the entry is to tell, of the dead letters of its job in their order
 */
export function auditPerJob<T extends AuditedLetter>(
  deps: CommandDeps,
  by: Caller,
  action: NewAuditEntry['action'],
  letters: readonly T[],
  now: Date,
  more: (ofJob: readonly T[]) => Record<string, unknown> = () => ({}),
): NewAuditEntry[] {
  return [...groupBy(letters, ({ jobId }) => jobId)].map(([jobId, ofJob]) => ({
    id: deps.newId(now),
    at: now,
    action,
    actor: by.actor,
    jobId,
    before: null,
    after: {
      count: ofJob.length,
      deadLetterIds: ofJob.map(({ id }) => encodePublicId('DeadLetter', id)),
      ...more(ofJob),
    },
    requestId: by.requestId,
    address: by.address,
  }));
}
