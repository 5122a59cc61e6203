import type { AlertChannel } from './channels.ts';

/** What an alert may tell of. */
export const ALERT_EVENTS = ['FAILED', 'RECOVERED', 'DEAD_LETTERED', 'LATE', 'SKIPPED', 'SUCCEEDED'] as const;
export type AlertEvent = (typeof ALERT_EVENTS)[number];

/** Whom an alert tells of what: the part of it that a user writes. */
export interface AlertDefinition {
  channel: AlertChannel;
  /** A URL or an address, as the channel takes it. */
  target: string;
  /** At least one, each once, in the order of {@link ALERT_EVENTS}. */
  events: readonly AlertEvent[];
  /** FAILED executions in a row until FAILED is told. */
  failureThreshold: number;
  /** A run is LATE when it has not started this long after its slot. */
  latenessThresholdMs: number;
  enabled: boolean;
}

/** The bounds of an alert's fields, both ends allowed. */
export const ALERT_LIMITS = {
  /** More would tell the same people the same thing. */
  perJob: 10,
  failureThreshold: { min: 1, max: 1_000 },
  /** Below a second the scheduler's own work would count; above a week nobody waits. */
  latenessThresholdMs: { min: 1_000, max: 7 * 24 * 3_600_000 },
} as const;

/** What an alert is where its fields are left out. */
export const ALERT_DEFAULTS = { failureThreshold: 1, latenessThresholdMs: 60_000, enabled: true } as const;
