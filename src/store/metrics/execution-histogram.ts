import type { Condition } from '../../domain/values/condition.ts';
import type { ExecutionField } from '../../domain/execution/filter-fields.ts';
import type { HistogramBucket } from '../../domain/metrics/metrics.ts';
import { type BucketedSpan, boundsOf } from '../../domain/metrics/time-buckets.ts';
import { conditionSql } from '../statements/condition-sql.ts';
import { EXECUTION_COLUMNS } from '../executions/filter-columns.ts';
import { nullIfTooSlow } from '../statements/failures.ts';
import type { Queryable } from '../statements/sql.ts';

type Counts = Omit<HistogramBucket, 'from' | 'to'>;

const NONE: Counts = { success: 0, failed: 0, cancelled: 0, skipped: 0, unfinished: 0 };

/**
 * Counts executions by when they came into being and how they stand. Reads each of the span's executions that are kept,
 * by the index over that instant, or over job and instant.
 *
 * @returns null where that took longer than a statement may
 */
export async function readExecutionHistogram(
  db: Queryable,
  span: BucketedSpan,
  condition: Condition<ExecutionField>,
): Promise<HistogramBucket[] | null> {
  const values: unknown[] = [span.from, span.to, span.bucketMs];
  const rows = await nullIfTooSlow(
    db.query<Counts & { bucket: number }>({
      text: `
-- count the executions of [$1, $2) in buckets of $3 ms.
SELECT floor(extract(epoch FROM e.created_at - $1::timestamptz) * 1000 / $3::int)::int AS bucket,
  count(*) FILTER (WHERE status = 'SUCCESS')::int AS success, count(*) FILTER (WHERE status = 'FAILED')::int AS failed,
  count(*) FILTER (WHERE status = 'CANCELLED')::int AS cancelled, count(*) FILTER (WHERE status = 'SKIPPED')::int AS skipped,
  count(*) FILTER (WHERE finished_at IS NULL)::int AS unfinished
FROM job_executions AS e
WHERE e.created_at >= $1 AND e.created_at < $2 AND ${conditionSql(condition, EXECUTION_COLUMNS, values)}
GROUP BY 1`,
      values,
    }),
  );
  if (rows === null) return null;
  const counted = new Map(rows.rows.map(({ bucket, ...counts }) => [bucket, counts]));
  return boundsOf(span).map((bounds, index) => Object.assign(bounds, counted.get(index) ?? NONE));
}
