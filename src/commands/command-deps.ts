import type { Pool } from 'pg';
import type { Clock } from '../domain/values/clock.ts';
import type { WakeUp } from '../events/wakeups.ts';
import type { ClaimedDelivery } from '../store/alerts/alert-deliveries.ts';

/** What the composition of the application gives to commands. */
export interface CommandDeps {
  pool: Pool;
  clock: Clock;
  /** Draws the id of a new row; `newUuidV7` in production. */
  newId: (now: Date) => string;
  /** Draws so many bytes that nobody can guess; that of `node:crypto` in production. */
  randomBytes: (count: number) => Uint8Array;
  /** Called after a commit with what it may have changed. Must not throw. */
  wake: (...kinds: WakeUp[]) => void;
  /** Whether the scheduler may call the URL's host, as far as that is known without looking a name up. */
  checkTarget: (url: string) => TargetCheck;
  alerts: AlertDeps;
}

/** What commands ask of the sender of alerts. */
export interface AlertDeps {
  /** Whether alerts by EMAIL can be sent. */
  isMailConfigured: boolean;
  /** How long a delivery that a command sends itself stays its own, in milliseconds. */
  leaseMs: number;
  /** Sends a delivery that is claimed by its writer, and records what came of it. */
  send: (delivery: ClaimedDelivery) => Promise<void>;
}

export type TargetCheck = { ok: true } | { ok: false; address: string };

/** On whose behalf a command runs; it goes into the audit log. */
export interface Caller {
  actor: string;
  /** Null for what the scheduler does by itself. */
  requestId: string | null;
  /** Network address; null where the call did not come over the network. */
  address: string | null;
}
