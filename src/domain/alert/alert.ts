import type { AlertChannel } from './channels.ts';

/** The events that an alert can report. */
export const ALERT_EVENTS = ['FAILED', 'RECOVERED', 'DEAD_LETTERED', 'LATE', 'SKIPPED', 'SUCCEEDED'] as const;
export type AlertEvent = (typeof ALERT_EVENTS)[number];

/** The part of an alert that a user writes: events and target. */
export interface AlertDefinition {
  channel: AlertChannel;
  /** A URL or a mail address, as the channel requires. */
  target: string;
  /** At least one, each once, in the order of {@link ALERT_EVENTS}. */
  events: readonly AlertEvent[];
  /** How many FAILED executions in a row lead to a FAILED report. */
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

/** The defaults of an alert's fields. */
export const ALERT_DEFAULTS = { failureThreshold: 1, latenessThresholdMs: 60_000, enabled: true } as const;
