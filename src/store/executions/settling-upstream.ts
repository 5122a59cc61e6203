import type { Pool } from 'pg';
import type { RunEnd } from '../../domain/workflow/dependency.ts';
import { appendEvents } from '../events/append-events.ts';
import { lockJoinsBehind, recordEnds } from '../jobs/joins.ts';
import { lockHeld, settle, settleLocked, type SettlementRow } from './settling.ts';
import { inTransaction } from '../statements/sql.ts';

/** What came of settlements whose executions others wait for. */
export interface UpstreamSettled {
  /** Ids that were written; one that is missing had lost its claim. */
  written: ReadonlySet<string>;
  /** Runs of dependent jobs that their ends set off. */
  planned: number;
  /** Calls under way were asked to stop for those runs: lease keepers are to be woken. */
  isReplacing: boolean;
}

/**
 * Records attempts whose executions other jobs wait for, and in the same transaction what their ends mean for those:
 * neither is ever there without the other.
 *
 * Locks in the one order that all writers keep: jobs, executions, the event log.
 *
 * @param newId draws the ids of the runs that are set off
 */
export async function settleUpstream(
  pool: Pool,
  settlements: readonly SettlementRow[],
  newId: (now: Date) => string,
): Promise<UpstreamSettled> {
  return inTransaction(pool, async (tx) => {
    const joins = await lockJoinsBehind(
      tx,
      settlements.map(({ executionId }) => executionId),
    );
    const held = await lockHeld(tx, settlements);
    const ends = held.flatMap(({ executionId, jobId, endStatus, at }): RunEnd[] =>
      endStatus === null ? [] : [{ executionId, jobId, status: endStatus, at }],
    );
    const { events, isReplacing } = await recordEnds(tx, joins, ends, newId);
    const written = await settleLocked(tx, settlements);
    await appendEvents(tx, events);
    return { written, planned: events.length, isReplacing };
  });
}

/** Records attempts in whichever of the two ways each of them needs; in the plain one where no job waits for it. */
export async function settleAny(
  pool: Pool,
  settlements: readonly SettlementRow[],
  newId: (now: Date) => string,
): Promise<UpstreamSettled> {
  const { written, deferred } = await settle(pool, settlements);
  if (deferred.size === 0) return { written, planned: 0, isReplacing: false };
  const awaited = settlements.filter(({ executionId }) => deferred.has(executionId));
  const upstream = await settleUpstream(pool, awaited, newId);
  return { ...upstream, written: new Set([...written, ...upstream.written]) };
}
