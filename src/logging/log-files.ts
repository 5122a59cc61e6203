import type { LogEntry } from './entry.ts';
import type { LogLevel } from './level.ts';

/** One of the rotating files: its entries, and for how many days it is kept. */
export interface LogFile {
  readonly name: string;
  /** The least urgent level that it takes; LOG_LEVEL may keep more out. */
  readonly level: LogLevel;
  readonly keepDays: number;
  readonly takes: (entry: LogEntry) => boolean;
}

/** Beginnings of contexts, so that `Worker` stands for `WorkerPool` as well. */
const EXECUTION_CONTEXTS = ['Worker', 'Execution', 'Attempt', 'Settle', 'Callback'];
const SCHEDULER_CONTEXTS = ['Scheduler', 'Planner', 'Rescuer', 'Heartbeat', 'Lease', 'Pruner', 'Clock'];

/** The five files. An entry goes into each file that takes it, so `all` is complete by itself. */
export const LOG_FILES: readonly LogFile[] = [
  { name: 'all', level: 'debug', keepDays: 14, takes: () => true },
  { name: 'error', level: 'error', keepDays: 30, takes: () => true },
  { name: 'combined', level: 'info', keepDays: 14, takes: () => true },
  {
    name: 'executions',
    level: 'debug',
    keepDays: 14,
    // From any part of the program: a line about one execution belongs to its history.
    takes: (entry) => 'executionId' in entry.fields || begins(entry.context, EXECUTION_CONTEXTS),
  },
  {
    name: 'scheduler',
    level: 'debug',
    keepDays: 14,
    takes: (entry) => begins(entry.context, SCHEDULER_CONTEXTS),
  },
];

function begins(context: string, beginnings: readonly string[]): boolean {
  return beginnings.some((beginning) => context.startsWith(beginning));
}
