import pg from 'pg';
import { ALL_JOBS } from '../../src/store/metrics/rollups.ts';

/** How large a database is. */
export interface Scale {
  jobs: number;
  executions: number;
  /** Of those executions, the last ones, which have not ended. */
  unfinished: number;
}

/** The history begins and ends there, however many executions it has. */
export const BEGIN = '2025-01-01T00:00:00.000Z';
export const END = '2025-01-24T00:00:00.000Z';

/** What one statement inserts. */
const CHUNK = 100_000;

/**
 * Fills an empty database with a history as it grows: jobs, one of twenty paused, and three of ten with a tag; a thousand
 * executions for each of some of them, one of twenty failed, one of fifty triggered by hand, one of a hundred left out, each
 * run with the call that it made; the dead letters of those that failed, and two entries of the audit log for each job; and
 * what is counted of all that, in buckets as the pruner leaves them.
 *
 * Over a connection of its own, without the pool's time limit, and without triggers and foreign keys, whose rows are right
 * by construction; indexes are made when all rows are there.
 */
export async function fill(connectionString: string, { jobs, executions, unfinished }: Scale): Promise<void> {
  const client = new pg.Client({ connectionString });
  await client.connect();
  try {
    await client.query(`SET session_replication_role = replica; SET maintenance_work_mem = '256MB'`);
    await fillJobs(client, jobs);
    const busyJobs = Math.ceil(executions / 1_000);
    const between = `${(Date.parse(END) - Date.parse(BEGIN)) / executions} ms`;
    await withoutIndexes(client, 'job_executions', async () => {
      for (let from = 1; from <= executions; from += CHUNK) {
        const to = Math.min(from + CHUNK - 1, executions);
        await client.query(EXECUTIONS, [from, to, executions - unfinished, busyJobs, between]);
      }
    });
    for (const statement of COUNTED) await client.query(statement);
    await client.query('VACUUM ANALYZE');
  } finally {
    await client.end();
  }
}

/** Ids whose first half is the instant, as in UUID v7, and whose second is the number of the row. */
const idOf = (at: string, n: string) =>
  `(lpad(to_hex((extract(epoch FROM ${at}) * 1000)::bigint), 12, '0') || '7000' || '8000' || lpad(to_hex(${n}), 12, '0'))::uuid`;

/** What is kept of a request and an answer with few headers. */
const REQUEST = `'{"method":"GET","url":"https://example.com/a-path","headers":{"user-agent":"job-scheduler/1"}}'::jsonb`;
const HEADERS = `'{"content-type":"text/plain; charset=utf-8","content-length":"2","date":"Fri, 24 Jan 2025 00:00:00 GMT",
  "connection":"keep-alive","keep-alive":"timeout=5"}'::jsonb`;

const EXECUTIONS = `
WITH job AS (SELECT array_agg(id) AS ids FROM (SELECT id FROM jobs ORDER BY id LIMIT $4) AS chosen)
INSERT INTO job_executions (id, job_id, status, trigger, scheduled_at, created_at, available_at, started_at,
  attempt_started_at, finished_at, lease_expires_at, duration_ms, lateness_ms, attempt_count, claim_seq, claimed_by, host,
  response_status, failure_reason, skip_reason, error_message, request, response_body, attempt_duration_ms, response_headers,
  attempt_timings, log_position, log_level, log_message)
SELECT ${idOf('at', 'n')}, job.ids[1 + n % $4], status, CASE WHEN round % 50 = 0 THEN 'MANUAL' ELSE 'SCHEDULE' END::execution_trigger,
  CASE WHEN round % 50 <> 0 THEN at END, at, at, CASE WHEN is_started THEN at END, CASE WHEN is_started THEN at END,
  CASE WHEN n <= $3 THEN at + interval '1 second' END, CASE WHEN status = 'RUNNING' THEN at + interval '1 minute' END,
  CASE WHEN is_run THEN n % 200 END, CASE WHEN is_started THEN n % 40 END, is_started::int, is_started::int,
  CASE WHEN is_started THEN 'an-instance' END, 'example.com',
  CASE WHEN is_run THEN CASE WHEN status = 'FAILED' THEN 500 ELSE 200 END END,
  CASE WHEN status = 'FAILED' THEN CASE WHEN round % 40 = 1 THEN 'TIMEOUT' ELSE 'HTTP_STATUS' END::failure_reason END,
  CASE WHEN status = 'SKIPPED' THEN 'OPERATOR'::skip_reason END,
  CASE WHEN status = 'FAILED' THEN 'Status 500.' END, CASE WHEN is_run THEN ${REQUEST} END, CASE WHEN is_run THEN 'ok' END,
  CASE WHEN is_run THEN n % 200 END, CASE WHEN is_run THEN ${HEADERS} END,
  CASE WHEN is_run THEN jsonb_build_object('totalMs', n % 200 + 0.25, 'firstByteMs', n % 200, 'downloadMs', 0.25) END,
  CASE WHEN is_run THEN n END, CASE WHEN is_run THEN 'INFO' END::log_level,
  CASE WHEN is_run THEN 'The target answered with status ' || CASE WHEN status = 'FAILED' THEN 500 ELSE 200 END || '.' END
FROM job, generate_series($1::int, $2::int) AS n,
  LATERAL (SELECT date_trunc('milliseconds', timestamptz '${BEGIN}' + n * $5::interval) AS at, n / $4 AS round) AS t,
  LATERAL (SELECT CASE WHEN n > $3 THEN (ARRAY['PENDING', 'RUNNING', 'RETRYING', 'BLOCKED'])[1 + n % 4]
      WHEN round % 100 = 7 THEN 'SKIPPED' WHEN round % 20 = 1 THEN 'FAILED' ELSE 'SUCCESS' END::execution_status AS status) AS o,
  LATERAL (SELECT status IN ('SUCCESS', 'FAILED') AS is_run,
    status IN ('SUCCESS', 'FAILED', 'RUNNING', 'RETRYING') AS is_started) AS s`;

/** A day ends two days ago: until then the pruner keeps hours. */
const FIRST_HOUR = `timestamptz '${END}' - interval '2 days'`;
const entryOf = (ms: string) =>
  `1024 + CASE WHEN ${ms} <= 0 THEN 0 ELSE 1 + ceil(ln(${ms}) / ln(1.04))::bigint END`;

const COUNTED = [
  `INSERT INTO failed_jobs_dlq (execution_id, job_id, failure_reason, error_message, failed_at)
   SELECT id, job_id, failure_reason, error_message, finished_at FROM job_executions WHERE status = 'FAILED'`,
  // Two entries of each job by two of ten people, the first in the order of the jobs.
  `INSERT INTO job_audit_log (id, at, action, actor, job_id)
   SELECT gen_random_uuid(), j.created_at + e.after, e.action, 'person-' || right(j.key, 1), j.id
   FROM jobs AS j, (VALUES (interval '0', 'CREATED'::audit_action), (interval '2 days', 'UPDATED')) AS e(after, action)`,
  `INSERT INTO execution_counts (kind, executions)
   SELECT status::text, count(*) FROM job_executions WHERE finished_at IS NULL GROUP BY 1
   UNION ALL SELECT 'ALL', count(*) FROM job_executions
   UNION ALL SELECT 'OPEN_DEAD_LETTER', count(*) FROM failed_jobs_dlq`,
  `INSERT INTO job_execution_rollups (job_id, bucket_minutes, bucket_at, success_count, failed_count, skipped_count,
     duration_sum_ms, duration_max_ms, lateness_max_ms, duration_sketch, lateness_sketch)
   SELECT coalesce(job_id, '${ALL_JOBS}'), minutes, bucket_at, coalesce(sum(n) FILTER (WHERE status = 'SUCCESS'), 0),
     coalesce(sum(n) FILTER (WHERE status = 'FAILED'), 0), coalesce(sum(n) FILTER (WHERE status = 'SKIPPED'), 0), coalesce(sum(duration_ms), 0), 199, 39,
     coalesce(array_agg(duration + (n - 1) * 1024) FILTER (WHERE duration IS NOT NULL), '{}'), ARRAY[sum(n) * 1024 + 30]
   FROM (SELECT job_id, minutes, bucket_at, status, ${entryOf('duration_ms')} AS duration, sum(duration_ms) AS duration_ms, count(*) AS n
     FROM job_executions,
       LATERAL (SELECT CASE WHEN finished_at < ${FIRST_HOUR} THEN 1440 ELSE 60 END AS minutes) AS b,
       LATERAL (SELECT date_bin(minutes * interval '1 minute', finished_at, '1970-01-05T00:00:00Z'::timestamptz) AS bucket_at) AS t
     WHERE finished_at IS NOT NULL GROUP BY 1, 2, 3, 4, 5) AS ended
   GROUP BY GROUPING SETS ((job_id, minutes, bucket_at), (minutes, bucket_at))`,
] as const;

async function fillJobs(client: pg.Client, jobs: number): Promise<void> {
  await client.query(`INSERT INTO job_tags (id, name, created_at)
    SELECT gen_random_uuid(), 'tag-' || n, '2025-01-01' FROM generate_series(0, 9) AS n`);
  await client.query(
    `INSERT INTO jobs (id, key, name, api, shown_api, schedule, status, paused_at, next_run_at, retry_on, created_at, updated_at)
     SELECT ${idOf('at', 'n')}, 'key-' || n, 'Job ' || n, url, url, '0 0 * * * *',
       CASE WHEN n % 20 = 0 THEN 'PAUSED' ELSE 'ACTIVE' END::job_status, CASE WHEN n % 20 = 0 THEN at END,
       CASE WHEN n % 20 <> 0 THEN timestamptz '2026-01-01' + n * interval '1 second' END, '{}', at, at + n * interval '1 second'
     FROM generate_series(1, $1::int) AS n, LATERAL (SELECT timestamptz '2025-01-01' + n * interval '1 second' AS at, 'https://example.com/' || n AS url) AS t`,
    [jobs],
  );
  await client.query(`INSERT INTO job_tag_associations (job_id, tag_id)
    SELECT j.id, t.id FROM jobs AS j JOIN job_tags AS t ON t.name = 'tag-' || right(j.key, 1) WHERE right(j.key, 1) IN ('1', '2', '3')`);
  await client.query(
    'INSERT INTO job_status_counts (status, jobs) SELECT status, count(*) FROM jobs GROUP BY 1',
  );
}

/** Drops what can be made anew of a table's indexes, and makes it anew. */
async function withoutIndexes(client: pg.Client, table: string, work: () => Promise<void>): Promise<void> {
  const { rows } = await client.query<{ name: string; definition: string }>(
    `SELECT quote_ident(indexname) AS name, indexdef AS definition FROM pg_indexes
     WHERE tablename = $1 AND schemaname = current_schema()
       AND indexname NOT IN (SELECT conname FROM pg_constraint WHERE conrelid = $1::regclass)`,
    [table],
  );
  for (const { name } of rows) await client.query(`DROP INDEX ${name}`);
  await work();
  for (const { definition } of rows) await client.query(definition);
}
