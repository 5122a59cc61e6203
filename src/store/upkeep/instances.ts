import { appendEvents } from '../events/append-events.ts';
import type { Queryable } from '../statements/sql.ts';

/** The state of other instances by their last heartbeats. */
export interface Others {
  isAnyAlive: boolean;
  isAnySilent: boolean;
  isAnyForgettable: boolean;
}

/** The data of a heartbeat. */
export interface Beat {
  instanceId: string;
  hostname: string;
  version: string;
  startedAt: Date;
  now: Date;
  runningExecutions: number;
}

const BEAT = `
-- beat: say that this instance is alive. An instance that was marked as lost, because it froze or was cut off, is
-- alive again.
-- It also checks whether others have been silent since $7 or ended before $8. Usually there are none.
INSERT INTO scheduler_metadata (instance_id, hostname, version, started_at, last_heartbeat_at, running_executions)
VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (instance_id) DO UPDATE
SET last_heartbeat_at = excluded.last_heartbeat_at, running_executions = excluded.running_executions, lost_at = NULL
RETURNING
  EXISTS (SELECT FROM scheduler_metadata WHERE instance_id <> $1 AND stopped_at IS NULL AND lost_at IS NULL)
    AS "isAnyAlive",
  EXISTS (SELECT FROM scheduler_metadata WHERE stopped_at IS NULL AND lost_at IS NULL AND last_heartbeat_at < $7)
    AS "isAnySilent",
  EXISTS (SELECT FROM scheduler_metadata WHERE coalesce(stopped_at, lost_at) < $8) AS "isAnyForgettable"`;

/** Writes this instance's heartbeat. */
export async function beat(
  db: Queryable,
  { instanceId, hostname, version, startedAt, now, runningExecutions }: Beat,
  { silentSince, endedBefore }: { silentSince: Date; endedBefore: Date },
): Promise<Others> {
  const { rows } = await db.query<Others & Record<string, unknown>>({
    name: 'beat',
    text: BEAT,
    values: [instanceId, hostname, version, startedAt, now, runningExecutions, silentSince, endedBefore],
  });
  return rows[0] ?? { isAnyAlive: true, isAnySilent: false, isAnyForgettable: false };
}

const NEVER = new Date(0);

/** Inserts this instance and its event. Call it inside a transaction. */
export async function enterInstance(tx: Queryable, entry: Beat): Promise<void> {
  await beat(tx, entry, { silentSince: NEVER, endedBefore: NEVER });
  await appendEvents(tx, [{ at: entry.now, kind: 'INSTANCE_STARTED', instanceId: entry.instanceId }]);
}

/** Marks this instance as stopped, with its event. Call it inside a transaction. */
export async function leaveInstance(tx: Queryable, instanceId: string, now: Date): Promise<void> {
  await tx.query({
    text: `UPDATE scheduler_metadata SET stopped_at = $2, last_heartbeat_at = $2, running_executions = 0 WHERE instance_id = $1`,
    values: [instanceId, now],
  });
  await appendEvents(tx, [{ at: now, kind: 'INSTANCE_STOPPED', instanceId }]);
}

const MARK_LOST = `
-- mark as lost the instances without a heartbeat since $2 or in $3 that have not stopped.
-- SKIP LOCKED: a locked row is either marked by another instance or sends its heartbeat now.
WITH silent AS MATERIALIZED (
  SELECT instance_id FROM scheduler_metadata
  WHERE stopped_at IS NULL AND lost_at IS NULL AND (last_heartbeat_at < $2 OR instance_id = ANY ($3::text[]))
  FOR NO KEY UPDATE SKIP LOCKED
)
UPDATE scheduler_metadata AS m SET lost_at = $1 FROM silent WHERE m.instance_id = silent.instance_id
RETURNING m.instance_id AS "instanceId"`;

/**
 * Marks instances that have been silent since an instant, with their events. Call it inside a transaction. @returns
 * which
 */
export function markSilentInstances(tx: Queryable, now: Date, silentSince: Date): Promise<string[]> {
  return markLost(tx, now, { silentSince, instanceIds: [] });
}

/**
 * Marks instances whose leases have ended. Their next heartbeat makes them alive. Call it inside a transaction.
 * @returns which
 */
export function markRescuedInstances(
  tx: Queryable,
  now: Date,
  instanceIds: readonly string[],
): Promise<string[]> {
  return markLost(tx, now, { silentSince: NEVER, instanceIds });
}

async function markLost(
  tx: Queryable,
  now: Date,
  { silentSince, instanceIds }: { silentSince: Date; instanceIds: readonly string[] },
): Promise<string[]> {
  const { rows } = await tx.query<{ instanceId: string }>({
    name: 'mark-lost',
    text: MARK_LOST,
    values: [now, silentSince, instanceIds],
  });
  const lost = rows.map((row) => row.instanceId);
  await appendEvents(
    tx,
    lost.map((instanceId) => ({ at: now, kind: 'INSTANCE_LOST' as const, instanceId })),
  );
  return lost;
}

/** Deletes the rows of instances that ended before `before`. */
export async function forgetInstances(db: Queryable, before: Date): Promise<void> {
  await db.query({
    text: `DELETE FROM scheduler_metadata WHERE coalesce(stopped_at, lost_at) < $1`,
    values: [before],
  });
}
