import type { Condition } from '../values/condition.ts';
import type { ExecutionField } from './filter-fields.ts';

/** A key that a list is sorted by. Rows without it come last in either direction. */
export interface OrderKey {
  field: string;
  direction: 'asc' | 'desc';
  nullable: boolean;
}

/** Where a row stands in an order: its value for each key. */
export type Place = readonly (string | number | bigint | Date | null)[];

/** Which rows of a list are asked for: so many from one end, or from a place in it. */
export interface PageRequest {
  /** The last key tells any two rows apart. */
  order: readonly OrderKey[];
  /** Whether rows are asked for from the end of the order, backwards. */
  isReversed: boolean;
  /** Only rows behind this place, and only those before that one. */
  after: Place | null;
  before: Place | null;
  limit: number;
}

/** Which of a job's executions are asked for: those that a condition selects. */
export interface AskedExecutions extends PageRequest {
  condition: Condition<ExecutionField>;
}
