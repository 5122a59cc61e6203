import type { RecordedCall } from '../target-server.ts';

/** Prints what a scenario has measured, as one line of JSON. Milliseconds are rounded: no clock here is finer. */
export function reportFigures(scenario: string, figures: Record<string, unknown>): void {
  const round = (_key: string, value: unknown) => (typeof value === 'number' ? Math.round(value) : value);
  process.stdout.write(`${JSON.stringify({ scenario, ...figures }, round)}\n`);
}

/** The smallest value that so large a share of all values does not exceed; 0 where there is none. */
export function percentile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((one, other) => one - other);
  return sorted[Math.max(Math.ceil(share * sorted.length) - 1, 0)] ?? 0;
}

/** The share of 99 in 100, and the worst. */
export function spread(values: readonly number[]): { p99Ms: number; maxMs: number } {
  return { p99Ms: percentile(values, 0.99), maxMs: Math.max(0, ...values) };
}

/**
 * How long after its slot each execution's first call reached the target: what users see, so the way to the target is
 * part of it.
 */
export function latenesses(calls: readonly RecordedCall[]): number[] {
  return calls
    .filter(({ headers }) => headers['x-attempt'] === '1' && headers['x-scheduled-at'] !== undefined)
    .map(({ headers, at }) => at.getTime() - Date.parse(headers['x-scheduled-at'] ?? ''));
}
