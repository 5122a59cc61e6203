import type { QueryResultRow } from 'pg';
import type { HeldClaim } from './leases.ts';
import { toTimestamps, type Queryable } from '../statements/sql.ts';

/** A claim, and the end of its lease. */
export interface LeasedClaim extends HeldClaim {
  leaseExpiresAt: Date;
}

/**
 * Finds the claims of an instance by the ends that their leases were given when they were made: those of which a lease was
 * extended since are left out, as somebody holds them, and so are those that wait for a callback.
 */
export async function findClaimsByLease(
  db: Queryable,
  instanceId: string,
  leasesExpireAt: readonly Date[],
): Promise<LeasedClaim[]> {
  const { rows } = await db.query<LeasedClaim & QueryResultRow>({
    name: 'find-claims-by-lease',
    text: `SELECT id AS "executionId", claim_seq AS "claimSeq", lease_expires_at AS "leaseExpiresAt"
FROM job_executions
WHERE status = 'RUNNING' AND callback_deadline_at IS NULL AND lease_expires_at = ANY ($2::timestamptz[]) AND claimed_by = $1`,
    values: [instanceId, toTimestamps(leasesExpireAt)],
  });
  return rows;
}
