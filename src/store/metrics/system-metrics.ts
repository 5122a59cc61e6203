import type { SystemMetrics } from '../../domain/metrics/metrics.ts';
import { bucketsOf } from '../../domain/metrics/metrics-window.ts';
import type { EndCounts } from '../../domain/metrics/metrics-series.ts';
import { percentilesOf, SKETCH_ENTRY_RADIX, type SketchEntry } from '../../domain/metrics/sketch.ts';
import { ALL_JOBS } from './rollups.ts';
import type { Queryable } from '../statements/sql.ts';

const COUNTS = `jsonb_build_object('success', coalesce(sum(success_count), 0), 'failed', coalesce(sum(failed_count), 0),
    'cancelled', coalesce(sum(cancelled_count), 0), 'skipped', coalesce(sum(skipped_count), 0),
    'retries', coalesce(sum(retry_count), 0), 'durationSumMs', coalesce(sum(duration_sum_ms), 0))`;

/** One number for each bucket, from the sketches of the last day's rows. */
function sketchOf(column: string): string {
  return `(SELECT array_agg(n * ${SKETCH_ENTRY_RADIX} + bucket)::float8[] FROM (
    SELECT e % ${SKETCH_ENTRY_RADIX} AS bucket, sum(e / ${SKETCH_ENTRY_RADIX}) AS n FROM last_day, unnest(${column}) AS e GROUP BY 1) AS counted)`;
}

const SYSTEM = `
-- the system's figures, in one snapshot: what has ended from a few hundred rollups however many that were, all else from
-- counts that are kept.
WITH kept AS MATERIALIZED (
  SELECT * FROM job_execution_rollups WHERE job_id = '${ALL_JOBS}'
), last_day AS MATERIALIZED (
  SELECT * FROM kept WHERE bucket_at >= $1
)
SELECT
  (SELECT ${COUNTS} FROM kept) AS "allTime",
  (SELECT ${COUNTS} FROM last_day) AS "lastDay",
  ${sketchOf('duration_sketch')} AS "durationSketch",
  ${sketchOf('lateness_sketch')} AS "latenessSketch",
  (SELECT max(duration_max_ms) FROM last_day) AS "longestMs",
  (SELECT max(lateness_max_ms) FROM last_day) AS "latestMs",
  (SELECT coalesce(jsonb_object_agg(status, n), '{}') FROM (
    SELECT status, sum(jobs) AS n FROM job_status_counts GROUP BY 1) AS counted) AS jobs,
  (SELECT coalesce(jsonb_object_agg(kind, n), '{}') FROM (
    SELECT kind, sum(executions) AS n FROM execution_counts GROUP BY 1) AS counted) AS counts`;

interface SystemRow extends Record<string, unknown> {
  allTime: EndCounts;
  lastDay: EndCounts;
  durationSketch: SketchEntry[] | null;
  latenessSketch: SketchEntry[] | null;
  longestMs: number | null;
  latestMs: number | null;
  jobs: Partial<Record<'ACTIVE' | 'PAUSED' | 'COMPLETED', number>>;
  counts: Partial<Record<'PENDING' | 'BLOCKED' | 'RUNNING' | 'RETRYING' | 'OPEN_DEAD_LETTER', number>>;
}

/** Reads the system's figures by one statement. */
export async function readSystemMetrics(db: Queryable, now: Date): Promise<SystemMetrics> {
  const { rows } = await db.query<SystemRow>({
    name: 'system-metrics',
    text: SYSTEM,
    values: [bucketsOf('LAST_24H', now, null).from],
  });
  const [row] = rows;
  if (!row) throw new Error('The statement of the system’s figures answered nothing');
  const { ACTIVE: active = 0, PAUSED: paused = 0, COMPLETED: completed = 0 } = row.jobs;
  const {
    PENDING: pending = 0,
    RUNNING: running = 0,
    RETRYING: retrying = 0,
    BLOCKED: blocked = 0,
    OPEN_DEAD_LETTER: openDeadLetters = 0,
  } = row.counts;
  return {
    jobs: { total: active + paused + completed, active, paused },
    allTime: row.allTime,
    lastDay: row.lastDay,
    latenessMs: percentilesOf(row.latenessSketch ?? [], row.latestMs ?? 0),
    executionTimeMs: percentilesOf(row.durationSketch ?? [], row.longestMs ?? 0),
    load: { pending, running, retrying, blocked },
    openDeadLetters,
  };
}
