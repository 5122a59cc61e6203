import { claimDue, type ClaimOptions } from '../../src/store/executions/claiming.ts';
import type { ClaimedExecution } from '../../src/store/executions/claimed-rows.ts';
import type { Queryable } from '../../src/store/statements/sql.ts';
import { LEASE_MS } from './instance.ts';
import { plus } from './manual-clock.ts';

/** Claims what is due, ten executions at most, for an instance that is not told. */
export function claimFor(
  db: Queryable,
  instanceId: string,
  now: Date,
  options: Partial<ClaimOptions> = {},
): Promise<ClaimedExecution[]> {
  return claimDue(db, {
    kind: 'fresh',
    instanceId,
    now,
    leaseExpiresAt: plus(now, LEASE_MS),
    limit: 10,
    busyHosts: new Map(),
    hostLimit: 10,
    look: 'head',
    ...options,
  });
}
