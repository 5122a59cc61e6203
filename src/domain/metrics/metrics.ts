import type { Condition } from '../values/condition.ts';
import type { ExecutionField } from '../execution/filter-fields.ts';
import type { CountedSpan, EndCounts } from './metrics-series.ts';
import type { MetricsWindow } from './metrics-window.ts';
import type { FailureReason } from '../execution/outcome.ts';
import type { Percentiles } from './sketch.ts';
import type { BucketedSpan } from './time-buckets.ts';

/** The job, by its UUID, and the span that a client asks for. */
export interface AskedMetrics {
  jobId: string;
  window: MetricsWindow;
}

/** The percentiles of a job's executions; null when no execution has such a value. */
export interface JobPercentiles {
  executionTimeMs: Percentiles | null;
  latenessMs: Percentiles | null;
}

/** When executions of a job last ended in these ways; null when none has. */
export interface LastEnds {
  lastSuccessAt: Date | null;
  lastFailureAt: Date | null;
}

/** The metrics of all jobs together, at one moment. */
export interface SystemMetrics {
  /** Counts jobs that are not deleted. */
  jobs: { total: number; active: number; paused: number };
  allTime: EndCounts;
  /** Over the window LAST_24H. */
  lastDay: EndCounts;
  /** Over the same window; null when no execution with a slot ended in it. */
  latenessMs: Percentiles | null;
  /** Over the same window; null when nothing succeeded or failed in it. */
  executionTimeMs: Percentiles | null;
  load: { pending: number; running: number; retrying: number; blocked: number };
  openDeadLetters: number;
}

/** Executions that were created within one bucket, by their present status. */
export interface HistogramBucket {
  from: Date;
  to: Date;
  success: number;
  failed: number;
  cancelled: number;
  skipped: number;
  unfinished: number;
}

/** The failures that a client asks for. */
export interface AskedFailures {
  since: Date;
  openDeadLettersOnly: boolean;
  /** The most groups to return. */
  limit: number;
}

/** Failed executions of one job that failed for the same reason with the same status. */
export interface FailureGroup {
  jobId: string;
  failureReason: FailureReason;
  responseStatus: number | null;
  count: number;
  firstAt: Date;
  lastAt: Date;
  /** The latest execution of the group. */
  sampleId: string;
}

/** Reads figures. */
export interface MetricsReader {
  /** The counts of one job over one span, for each question, in order. */
  jobCounts: (asked: readonly AskedMetrics[]) => Promise<CountedSpan[]>;
  /** The percentiles of one job over one span, for each question, in order. */
  jobPercentiles: (asked: readonly AskedMetrics[]) => Promise<JobPercentiles[]>;
  /** When each job last succeeded and failed, also when that execution is pruned; in the order of the ids. */
  lastEnds: (jobIds: readonly string[]) => Promise<LastEnds[]>;
  system: () => Promise<SystemMetrics>;
  /** Counts the executions themselves, so a long span takes longer; null when it took too long. */
  histogram: (span: BucketedSpan, condition: Condition<ExecutionField>) => Promise<HistogramBucket[] | null>;
  /** The same for failed executions. */
  failureGroups: (
    asked: AskedFailures,
    condition: Condition<ExecutionField>,
  ) => Promise<FailureGroup[] | null>;
}
