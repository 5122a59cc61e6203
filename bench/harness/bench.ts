import type { Postgres } from './postgres.ts';

/** A figure of ours beside what it is measured against, both taken in the same run. */
export type Figure = {
  /** The row of the table of goals; null where the goal is told with the engine's. */
  goal: number | null;
  measure: string;
  value: number;
  unit: string;
  /** What the value must reach, `min` from below or `max` from above; a figure without one explains others. */
  min?: number;
  max?: number;
  /** What the value was computed from. */
  detail?: Record<string, number | string>;
};

/** What each part finds at hand. */
export type BenchContext = {
  postgres: Postgres;
  /** Repeats of each measurement, of which the median counts. */
  rounds: number;
  /** Says what is going on, to people. */
  note: (text: string) => void;
};

export type Part = {
  name: string;
  /** Whether the part runs only where it is named, as it takes too long. */
  runsOnlyByName?: boolean;
  run: (context: BenchContext) => Promise<Figure[]>;
};

/** Of an even number of values the mean of the two in the middle: neither the better nor the worse one. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((one, other) => one - other);
  const above = Math.floor(sorted.length / 2);
  const below = sorted.length % 2 === 0 ? above - 1 : above;
  return ((sorted[below] ?? NaN) + (sorted[above] ?? NaN)) / 2;
}

/** The smallest value that so large a share of all values does not exceed. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((one, other) => one - other);
  return sorted[Math.max(Math.ceil(share * sorted.length) - 1, 0)] ?? NaN;
}
