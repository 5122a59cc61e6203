import type { Condition } from '../values/condition.ts';
import type { ExecutionField } from './filter-fields.ts';

/** How many rows of a list by time are asked for, and from which end. */
export interface PageRequest {
  from: 'newest' | 'oldest';
  limit: number;
}

/** Which of a job's executions are asked for: those that a condition selects, from that end of its history. */
export interface AskedExecutions extends PageRequest {
  condition: Condition<ExecutionField>;
}
