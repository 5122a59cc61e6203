import type { Pool } from 'pg';
import type { FreePlaces } from '../../domain/execution/places.ts';
import type { ClaimedExecution } from '../../store/executions/claimed-rows.ts';
import { claimDue, MAX_CLAIM, type ClaimKind } from '../../store/executions/claiming.ts';
import { MAX_DEEP_LOOK_MS } from './deep-look.ts';
import type { LostClaims } from './lost-claims.ts';

/** The result of a claim. */
export interface Claim {
  claimed: number;
  /** How many executions there was room for. */
  limit: number;
}

export const NOTHING: Claim = { claimed: 0, limit: 0 };

export interface ClaimerOptions {
  pool: Pool;
  instanceId: string;
  leaseMs: number;
  lostClaims: Pick<LostClaims, 'watch'>;
  room: () => FreePlaces;
  backlogRoom: () => number;
  /** Runs the claimed executions. */
  take: (executions: readonly ClaimedExecution[]) => void;
  monotonicMs: () => number;
}

/** Claims executions as far as there is room. It looks as far down the queue as necessary. */
export type Claimer = (kind: ClaimKind, now: Date, options?: { isDeep?: boolean }) => Promise<Claim>;

/** How long claims look further after one that found too few. This is longer than any pause between deep looks. */
const WIDE_LOOK_MS = 5 * MAX_DEEP_LOOK_MS;

export function createClaimer(options: ClaimerOptions): Claimer {
  const { pool, instanceId, leaseMs, lostClaims, room, backlogRoom, take, monotonicMs } = options;
  /** Until then claims look past the head of the queue, because executions there are locked or belong to full hosts. */
  const wideUntilMs: Record<ClaimKind, number> = { fresh: 0, backlog: 0 };

  return async (kind, now, { isDeep = false } = {}) => {
    const { executions, perHost, load } = room();
    const limit = Math.min(kind === 'backlog' ? backlogRoom() : executions, executions, MAX_CLAIM);
    if (limit <= 0) return NOTHING;
    const startsMs = monotonicMs();
    const look = isDeep ? 'deep' : startsMs < wideUntilMs[kind] ? 'wide' : 'head';
    const leaseExpiresAt = new Date(now.getTime() + leaseMs);
    const claimed = await lostClaims.watch(leaseExpiresAt, () =>
      claimDue(pool, {
        kind,
        instanceId,
        now,
        leaseExpiresAt,
        limit,
        busyHosts: load,
        hostLimit: perHost,
        look,
      }),
    );
    if (claimed.length < limit) wideUntilMs[kind] = startsMs + WIDE_LOOK_MS;
    take(claimed);
    return { claimed: claimed.length, limit };
  };
}
