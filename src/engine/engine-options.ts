import type { Pool } from 'pg';
import type { CallbackClaim } from '../domain/execution/callback-token.ts';
import type { Poller } from '../events/poller.ts';
import type { WakeUp, WakeUps } from '../events/wakeups.ts';
import type { Sender } from '../http/send-attempt.ts';
import type { SettlementRow } from '../store/executions/settling.ts';
import type { UpstreamSettled } from '../store/executions/settling-upstream.ts';
import type { DatabaseClock } from '../store/upkeep/database-clock.ts';

export interface EngineOptions {
  pool: Pool;
  /** Only for the extension of leases. */
  leasePool: Pool;
  clock: DatabaseClock;
  sender: Sender;
  wakeUps: WakeUps;
  /** Polls for all loops, to find due work that no notification has announced. */
  poller: Poller;
  resumePaused: () => Promise<Date | null>;
  /** Draws the id of an execution that no slot names. */
  newId: (now: Date) => string;
  /** A number in [0, 1). */
  random: () => number;
  /** The URL for an attempt's callback. */
  callbackUrl: (attempt: CallbackClaim) => string;
  instance: { instanceId: string; hostname: string; version: string; startedAt: Date };
  maxConcurrency: number;
  maxConcurrencyPerHost: number;
  leaseMs: number;
  heartbeatIntervalMs: number;
  shutdownGraceMs: number;
  executionRetentionMs: number;
  auditRetentionMs: number;
  eventRetentionMs: number;
}

/** The options of each part of the engine. */
export interface PartOptions extends EngineOptions {
  instanceId: string;
  longestRestMs: number;
  /** Records the ends that other jobs wait for, together with the runs that these ends trigger. */
  settleUpstream: (settlements: readonly SettlementRow[]) => Promise<UpstreamSettled>;
  /** Returns a function that logs the failed steps of a loop. */
  onErrorOf: (loop: string) => (error: unknown) => void;
}

/**
 * The wake-ups for a new execution that replaces running ones. Their calls then abort at once, not at the next look.
 */
export function toStop(isReplacing: boolean): readonly WakeUp[] {
  return isReplacing ? ['cancellations'] : [];
}
