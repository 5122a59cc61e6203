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
  /** For the extension of leases alone. */
  leasePool: Pool;
  clock: DatabaseClock;
  sender: Sender;
  wakeUps: WakeUps;
  /** Looks at polling pace, for all loops together, for what nobody has told them of. */
  poller: Poller;
  resumePaused: () => Promise<Date | null>;
  /** Draws the id of an execution that no slot names. */
  newId: (now: Date) => string;
  /** A number in [0, 1). */
  random: () => number;
  /** Where the target of an attempt calls back. */
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

/** What each part of the engine is made with. */
export interface PartOptions extends EngineOptions {
  instanceId: string;
  longestRestMs: number;
  /** Records ends that other jobs wait for, together with the runs that they set off. */
  settleUpstream: (settlements: readonly SettlementRow[]) => Promise<UpstreamSettled>;
  /** Makes what logs the failed steps of a loop. */
  onErrorOf: (loop: string) => (error: unknown) => void;
}

/** What a new execution that takes the place of running ones wakes: calls are aborted at once, not when next looked at. */
export function toStop(isReplacing: boolean): readonly WakeUp[] {
  return isReplacing ? ['cancellations'] : [];
}
