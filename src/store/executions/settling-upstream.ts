import type { Pool } from 'pg';
import type { RunEnd } from '../../domain/workflow/dependency.ts';
import { appendEvents } from '../events/append-events.ts';
import { lockJoinsBehind, recordEnds } from '../jobs/joins.ts';
import { lockHeld, settle, settleLocked, type SettlementRow } from './settling.ts';
import { inTransaction } from '../statements/sql.ts';

/** The result of settlements whose executions other jobs wait for. */
export interface UpstreamSettled {
  /** The ids that were written. A missing one had lost its claim. */
  written: ReadonlySet<string>;
  /** How many runs of dependent jobs the ends triggered. */
  planned: number;
  /** Calls in flight must stop for those runs. The caller wakes the lease keepers. */
  isReplacing: boolean;
}

/**
 * Records attempts whose executions other jobs wait for. The same transaction records what their ends mean for those
 * jobs, so both exist or neither.
 *
 * Locks in the one order that all writers keep: jobs, executions, the event log.
 *
 * @param newId creates the ids of the triggered runs
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

/** Records each attempt in one of the two ways: together with its effects when a job waits for it, else alone. */
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
