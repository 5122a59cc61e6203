import type { QueryResultRow } from 'pg';
import type { HeldClaim } from './leases.ts';
import { toTimestamps, type Queryable } from '../statements/sql.ts';

/** A claim, and when it was made. */
export interface DatedClaim extends HeldClaim {
  claimedAt: Date;
}

/** Finds the claims of an instance by their instants, without those that wait for a callback. */
export async function findClaimsMadeAt(
  db: Queryable,
  instanceId: string,
  claimedAt: readonly Date[],
): Promise<DatedClaim[]> {
  const { rows } = await db.query<DatedClaim & QueryResultRow>({
    name: 'find-claims-made-at',
    text: `-- find claims of instance $1 made at $2. No lease ends before its claim was made: that leads to the index of leases.
SELECT id AS "executionId", claim_seq AS "claimSeq", attempt_started_at AS "claimedAt"
FROM job_executions
WHERE status = 'RUNNING' AND callback_deadline_at IS NULL AND attempt_started_at = ANY ($2::timestamptz[]) AND claimed_by = $1
  AND lease_expires_at > (SELECT min(at) FROM unnest($2::timestamptz[]) AS claim(at))`,
    values: [instanceId, toTimestamps(claimedAt)],
  });
  return rows;
}
