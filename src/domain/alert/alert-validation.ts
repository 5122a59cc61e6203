import { ALERT_EVENTS, ALERT_LIMITS, type AlertDefinition, type AlertEvent } from './alert.ts';
import { checkAlertTarget } from './alert-target.ts';
import type { FieldIssue } from '../job/job-definition.ts';

/**
 * Checks a whole alert and names all its faults. It does not decide whether its target may be called, or whether the
 * instance can send mail.
 */
export function checkAlert(alert: AlertDefinition): FieldIssue[] {
  const issues = [
    ...checkNumber('failureThreshold', alert.failureThreshold),
    ...checkNumber('latenessThresholdMs', alert.latenessThresholdMs),
  ];
  if (alert.events.length === 0) {
    issues.push({ path: ['events'], message: `At least one is needed of ${ALERT_EVENTS.join(', ')}.` });
  }
  const message = checkAlertTarget(alert.channel, alert.target);
  if (message !== null) issues.push({ path: ['target'], message });
  return issues;
}

/** The events as they are stored: each once, always in the same order. */
export function storedEvents(events: readonly AlertEvent[]): AlertEvent[] {
  return ALERT_EVENTS.filter((event) => events.includes(event));
}

function checkNumber(field: 'failureThreshold' | 'latenessThresholdMs', value: number): FieldIssue[] {
  const { min, max } = ALERT_LIMITS[field];
  if (Number.isInteger(value) && value >= min && value <= max) return [];
  return [{ path: [field], message: `Must be a whole number from ${min} to ${max}; it is ${value}.` }];
}
