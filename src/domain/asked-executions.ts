import type { Condition } from './condition.ts';
import type { ExecutionField } from './filter-fields.ts';

/** Which of a job's executions are asked for: the first `limit` that a condition selects, from that end of its history. */
export interface AskedExecutions {
  condition: Condition<ExecutionField>;
  from: 'newest' | 'oldest';
  limit: number;
}
