import type { Clock } from '../../domain/values/clock.ts';
import type { MetricsReader } from '../../domain/metrics/metrics.ts';
import { readExecutionHistogram } from './execution-histogram.ts';
import { readFailureGroups } from '../executions/failure-groups.ts';
import { readJobCounts, readJobPercentiles, readLastEnds } from './job-metrics.ts';
import type { Queryable } from '../statements/sql.ts';
import { readSystemMetrics } from './system-metrics.ts';

/** Binds the reads of figures to a database and to the scheduler's time. */
export function createMetricsReader(db: Queryable, clock: Clock): MetricsReader {
  return {
    jobCounts: (asked) => readJobCounts(db, asked, clock.now()),
    jobPercentiles: (asked) => readJobPercentiles(db, asked, clock.now()),
    lastEnds: (jobIds) => readLastEnds(db, jobIds),
    system: () => readSystemMetrics(db, clock.now()),
    histogram: (span, condition) => readExecutionHistogram(db, span, condition),
    failureGroups: (asked, condition) => readFailureGroups(db, asked, condition),
  };
}
