import { groupBy } from '../../domain/values/group-by.ts';
import type { AskedMetrics, JobPercentiles, LastEnds } from '../../domain/metrics/metrics.ts';
import type { CountedSpan, EndCounts } from '../../domain/metrics/metrics-series.ts';
import { type Buckets, bucketsOf } from '../../domain/metrics/metrics-window.ts';
import { percentilesOf, SKETCH_ENTRY_RADIX, type SketchEntry } from '../../domain/metrics/sketch.ts';
import { bucketAt } from './rollups.ts';
import { type Queryable, toTimestamps } from '../statements/sql.ts';

const FIRST_BUCKETS = `
-- where the counts of each of many jobs begin: one look into an index per job.
SELECT job.id AS "jobId", first.bucket_at AS "firstAt"
FROM unnest($1::uuid[]) AS job(id), LATERAL (
  SELECT bucket_at FROM job_execution_rollups WHERE job_id = job.id ORDER BY bucket_at LIMIT 1
) AS first`;

/** OFFSET leaves the planner nothing but one look into an index per job; as a join, the whole table may be read. */
const ASKED = `unnest($1::uuid[], $2::timestamptz[], $3::int[]) WITH ORDINALITY AS asked(job_id, from_at, minutes, place),
  LATERAL (
    SELECT * FROM job_execution_rollups WHERE job_id = asked.job_id AND bucket_at >= asked.from_at OFFSET 0
  ) AS r`;

const COUNTS = `
-- what was counted of many jobs, each from an instant on, in buckets of so many minutes.
SELECT asked.place::int, ${bucketAt('r.bucket_at', 'asked.minutes')} AS "bucketAt", sum(success_count)::float8 AS success,
  sum(failed_count)::float8 AS failed, sum(cancelled_count)::float8 AS cancelled, sum(skipped_count)::float8 AS skipped,
  sum(retry_count)::float8 AS retries, sum(duration_sum_ms)::float8 AS "durationSumMs"
FROM ${ASKED}
GROUP BY 1, 2`;

const SKETCHES = `
-- the sketches of many jobs, each from an instant on.
WITH kept AS MATERIALIZED (
  SELECT asked.place, duration_sketch, lateness_sketch, duration_max_ms, lateness_max_ms FROM ${ASKED}
), spread AS (
  SELECT place, is_lateness, e % ${SKETCH_ENTRY_RADIX} AS bucket, sum(e / ${SKETCH_ENTRY_RADIX}) AS n
  FROM kept, LATERAL (SELECT false, unnest(duration_sketch) UNION ALL SELECT true, unnest(lateness_sketch)) AS s(is_lateness, e)
  GROUP BY 1, 2, 3
), sketch AS (
  SELECT place, array_agg(n * ${SKETCH_ENTRY_RADIX} + bucket) FILTER (WHERE NOT is_lateness) AS duration,
    array_agg(n * ${SKETCH_ENTRY_RADIX} + bucket) FILTER (WHERE is_lateness) AS lateness
  FROM spread GROUP BY 1
), longest AS (
  SELECT place, max(duration_max_ms) AS duration_ms, max(lateness_max_ms) AS lateness_ms FROM kept GROUP BY 1
)
SELECT place::int, duration::float8[], lateness::float8[], duration_ms AS "longestMs", lateness_ms AS "latestMs"
FROM sketch JOIN longest USING (place)`;

/** What the counts of one job over one span are; for each that is asked for, in order. */
export async function readJobCounts(
  db: Queryable,
  asked: readonly AskedMetrics[],
  now: Date,
): Promise<CountedSpan[]> {
  const spans = await spansOf(db, asked, now);
  const { rows } = await db.query<EndCounts & { place: number; bucketAt: Date }>({
    name: 'job-counts',
    text: COUNTS,
    values: valuesOf(asked, spans),
  });
  const counted = groupBy(rows, ({ place }) => place);
  return spans.map((span, index) => ({ span, now, counted: counted.get(index + 1) ?? [] }));
}

/** How executions of one job spread over one span; for each that is asked for, in order. */
export async function readJobPercentiles(
  db: Queryable,
  asked: readonly AskedMetrics[],
  now: Date,
): Promise<JobPercentiles[]> {
  interface Row extends Record<string, unknown> {
    place: number;
    duration: SketchEntry[] | null;
    lateness: SketchEntry[] | null;
    longestMs: number | null;
    latestMs: number | null;
  }
  const { rows } = await db.query<Row>({
    name: 'job-sketches',
    text: SKETCHES,
    values: valuesOf(asked, await spansOf(db, asked, now)),
  });
  const byPlace = new Map(rows.map((row) => [row.place, row]));
  return asked.map((_, index) => {
    const row = byPlace.get(index + 1);
    return {
      executionTimeMs: percentilesOf(row?.duration ?? [], row?.longestMs ?? 0),
      latenessMs: percentilesOf(row?.lateness ?? [], row?.latestMs ?? 0),
    };
  });
}

/** When executions of each job last succeeded and failed, whether they are still kept or not; in the order of the ids. */
export async function readLastEnds(db: Queryable, jobIds: readonly string[]): Promise<LastEnds[]> {
  const { rows } = await db.query<LastEnds & { jobId: string }>({
    name: 'job-last-ends',
    text: `SELECT job_id AS "jobId", max(last_success_at) AS "lastSuccessAt", max(last_failure_at) AS "lastFailureAt"
FROM job_execution_rollups WHERE job_id = ANY($1::uuid[]) GROUP BY 1`,
    values: [jobIds],
  });
  const byJob = new Map(rows.map(({ jobId, ...ends }) => [jobId, ends]));
  return jobIds.map((jobId) => byJob.get(jobId) ?? { lastSuccessAt: null, lastFailureAt: null });
}

/** The buckets of each window; only ALL_TIME depends on when its job began. */
async function spansOf(db: Queryable, asked: readonly AskedMetrics[], now: Date): Promise<Buckets[]> {
  const unbounded = asked.filter(({ window }) => window === 'ALL_TIME').map(({ jobId }) => jobId);
  const firstOf = unbounded.length === 0 ? new Map<string, Date>() : await readFirstBuckets(db, unbounded);
  return asked.map(({ jobId, window }) => bucketsOf(window, now, firstOf.get(jobId) ?? null));
}

async function readFirstBuckets(db: Queryable, jobIds: readonly string[]): Promise<Map<string, Date>> {
  const { rows } = await db.query<{ jobId: string; firstAt: Date }>({
    name: 'job-first-buckets',
    text: FIRST_BUCKETS,
    values: [jobIds],
  });
  return new Map(rows.map(({ jobId, firstAt }) => [jobId, firstAt]));
}

function valuesOf(asked: readonly AskedMetrics[], spans: readonly Buckets[]): unknown[] {
  return [
    asked.map(({ jobId }) => jobId),
    toTimestamps(spans.map(({ from }) => from)),
    spans.map(({ minutes }) => minutes),
  ];
}
