import type { Condition } from '../values/condition.ts';
import type { ExecutionField } from '../execution/filter-fields.ts';
import type { CountedSpan, EndCounts } from './metrics-series.ts';
import type { MetricsWindow } from './metrics-window.ts';
import type { FailureReason } from '../execution/outcome.ts';
import type { Percentiles } from './sketch.ts';
import type { BucketedSpan } from './time-buckets.ts';

/** Whose figures are asked for, over which span. A job is named by its UUID. */
export interface AskedMetrics {
  jobId: string;
  window: MetricsWindow;
}

/** How executions of a job spread; null where none has such a figure. */
export interface JobPercentiles {
  executionTimeMs: Percentiles | null;
  latenessMs: Percentiles | null;
}

/** When executions of a job last ended so; null where none has. */
export interface LastEnds {
  lastSuccessAt: Date | null;
  lastFailureAt: Date | null;
}

/** The figures of all jobs together, at one moment. */
export interface SystemMetrics {
  /** Of those that are not deleted. */
  jobs: { total: number; active: number; paused: number };
  allTime: EndCounts;
  /** Over the window LAST_24H. */
  lastDay: EndCounts;
  /** Over the same window; null where nothing with a slot has ended in it. */
  latenessMs: Percentiles | null;
  /** Over the same window; null where nothing has succeeded or failed in it. */
  executionTimeMs: Percentiles | null;
  load: { pending: number; running: number; retrying: number; blocked: number };
  openDeadLetters: number;
}

/** Executions that came into being within one bucket, by how they stand now. */
export interface HistogramBucket {
  from: Date;
  to: Date;
  success: number;
  failed: number;
  cancelled: number;
  skipped: number;
  unfinished: number;
}

/** Which failures are asked for. */
export interface AskedFailures {
  since: Date;
  openDeadLettersOnly: boolean;
  /** Groups at most. */
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
  /** The latest of them. */
  sampleId: string;
}

/** Reads figures. */
export interface MetricsReader {
  /** The counts of one job over one span; for each that is asked for, in order. */
  jobCounts: (asked: readonly AskedMetrics[]) => Promise<CountedSpan[]>;
  /** How executions of one job spread over one span; for each that is asked for, in order. */
  jobPercentiles: (asked: readonly AskedMetrics[]) => Promise<JobPercentiles[]>;
  /** When executions of each job last succeeded and failed, kept or not; in the order of the ids. */
  lastEnds: (jobIds: readonly string[]) => Promise<LastEnds[]>;
  system: () => Promise<SystemMetrics>;
  /** From the executions themselves, which takes the longer the more the span holds; null where it took too long. */
  histogram: (span: BucketedSpan, condition: Condition<ExecutionField>) => Promise<HistogramBucket[] | null>;
  /** In the same way from the failed ones. */
  failureGroups: (
    asked: AskedFailures,
    condition: Condition<ExecutionField>,
  ) => Promise<FailureGroup[] | null>;
}
