import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { encodePublicId } from '../../src/domain/values/public-id.ts';
import { percentilesOf, SKETCH_ENTRY_RADIX, sketchBucketOf } from '../../src/domain/metrics/sketch.ts';
import { settleLocked, settlementRow, type Settlement } from '../../src/store/executions/settling.ts';
import { clearJobs } from '../commands/harness.ts';
import { plus, START } from '../support/manual-clock.ts';
import { insertExecution, insertJob, type Row } from '../support/rows.ts';
import { insertRunning, succeeded } from '../support/settlements.ts';
import { type ApiHarness, createApiHarness } from './api-harness.ts';

let api: ApiHarness;

beforeAll(async () => {
  api = await createApiHarness();
});
afterAll(async () => {
  await api.close();
});
beforeEach(async () => {
  await clearJobs(api.pool);
  api.clock.set(plus(START, HOUR_MS).toISOString());
});

const HOUR_MS = 3_600_000;
const PERCENTILES = 'p50 p95 p99 max';
const JOB_METRICS = `totalExecutions successfulExecutions failedExecutions cancelledExecutions skippedExecutions
  successRate avgExecutionTimeMs executionTimeMs { ${PERCENTILES} } latenessMs { ${PERCENTILES} } retries lastSuccessAt
  lastFailureAt series { from to success failed cancelled skipped avgExecutionTimeMs }`;

type Percentiles = { p50: number; p95: number; p99: number; max: number };
type Bucket = { from: string; to: string; success: number; failed: number };
type JobMetrics = Record<string, number | string | null> & {
  executionTimeMs: Percentiles | null;
  latenessMs: Percentiles | null;
  series: Bucket[];
};

describe('the figures of a job', () => {
  it('are empty when nothing has ended', async () => {
    const job = await insertJob(api.pool);
    await insertExecution(api.pool, job, 'RUNNING');
    expect(await metricsOf(job, 'LAST_24H')).toMatchObject({
      totalExecutions: 0,
      successRate: null,
      avgExecutionTimeMs: null,
      executionTimeMs: null,
      latenessMs: null,
      lastSuccessAt: null,
      lastFailureAt: null,
    });
  });

  it('count ends by their kind', async () => {
    const job = await insertJob(api.pool);
    await end(job, 3, (settlement) => settlement);
    await end(job, 1, (settlement) => ({
      ...settlement,
      status: 'FAILED',
      failureReason: 'TIMEOUT',
      attemptFinishedAt: plus(START, 500),
    }));
    await end(job, 2, (settlement) => ({ ...settlement, status: 'CANCELLED' }));
    await end(job, 1, (settlement) => ({ ...settlement, status: 'RETRYING', availableAt: START }));
    expect(await metricsOf(job, 'LAST_24H')).toMatchObject({
      totalExecutions: 6,
      successfulExecutions: 3,
      failedExecutions: 1,
      cancelledExecutions: 2,
      skippedExecutions: 0,
      successRate: 75,
      avgExecutionTimeMs: 200,
      retries: 1,
      lastSuccessAt: plus(START, 100).toISOString(),
      lastFailureAt: plus(START, 500).toISOString(),
    });
  });

  it('have percentiles within 5 % of the exact ones', async () => {
    const job = await insertJob(api.pool);
    const draw = randomNumbers();
    await end(
      job,
      400,
      (settlement) => ({
        ...settlement,
        attemptFinishedAt: plus(START, Math.round(Math.exp(draw() * 12))),
      }),
      `lateness_ms = (random() * random() * 5000)::int`,
    );
    const { executionTimeMs, latenessMs } = await metricsOf(job, 'LAST_24H');
    for (const [estimate, column] of [
      [executionTimeMs, 'duration_ms'],
      [latenessMs, 'lateness_ms'],
    ] as const) {
      const { rows } = await api.pool.query<Row>(
        `SELECT percentile_disc(0.5) WITHIN GROUP (ORDER BY ${column}) AS p50,
           percentile_disc(0.95) WITHIN GROUP (ORDER BY ${column}) AS p95,
           percentile_disc(0.99) WITHIN GROUP (ORDER BY ${column}) AS p99, max(${column}) AS max
         FROM job_executions WHERE job_id = $1`,
        [job],
      );
      const exact = rows[0] as Percentiles;
      for (const name of ['p50', 'p95', 'p99'] as const) {
        expect(Math.abs((estimate?.[name] ?? NaN) - exact[name])).toBeLessThanOrEqual(0.05 * exact[name]);
      }
      expect(estimate?.max).toBe(exact.max);
    }
  });

  it.each([
    ['LAST_HOUR', 13, 5],
    ['LAST_24H', 25, 60],
    ['LAST_7D', 8, 1440],
    ['LAST_30D', 31, 1440],
  ])('over %s are a series of %i buckets of %i minutes without a gap', async (window, count, minutes) => {
    const job = await insertJob(api.pool);
    await end(job, 2, (settlement) => settlement);
    const now = plus(START, 30 * 60_000);
    api.clock.set(now.toISOString());
    const { series, totalExecutions } = await metricsOf(job, window);
    expect(series).toHaveLength(count);
    for (const [index, { from, to }] of series.entries()) {
      expect(Date.parse(to) - Date.parse(from)).toBe(minutes * 60_000);
      if (index > 0) expect(from).toBe(series[index - 1]?.to);
    }
    expect(Date.parse(series.at(-1)?.from ?? '')).toBeLessThanOrEqual(now.getTime());
    expect(Date.parse(series.at(-1)?.to ?? '')).toBeGreaterThan(now.getTime());
    const full = series.filter(({ success }) => success > 0);
    expect(full).toMatchObject([{ success: 2, failed: 0 }]);
    expect(Date.parse(full[0]?.from ?? '')).toBeLessThanOrEqual(START.getTime());
    expect(totalExecutions).toBe(2);
  });

  it('exclude ends before the window, except for the time of the last end', async () => {
    const job = await insertJob(api.pool);
    await end(job, 1, (settlement) => settlement);
    api.clock.set(plus(START, 30 * HOUR_MS).toISOString());
    expect(await metricsOf(job, 'LAST_24H')).toMatchObject({
      totalExecutions: 0,
      lastSuccessAt: plus(START, 100).toISOString(),
    });
    expect(await metricsOf(job, 'LAST_7D')).toMatchObject({ totalExecutions: 1 });
    const { series, totalExecutions } = await metricsOf(job, 'ALL_TIME');
    expect(totalExecutions).toBe(1);
    expect(series[0]).toMatchObject({ success: 1 });
  });

  it('of a deleted job stay', async () => {
    const job = await insertJob(api.pool, { status: 'DELETED', deleted_at: START });
    await end(job, 1, (settlement) => settlement);
    expect(await metricsOf(job, 'ALL_TIME')).toMatchObject({ totalExecutions: 1 });
  });

  it('cost the same number of statements for 100 jobs as for one', async () => {
    const jobs = await Promise.all(Array.from({ length: 100 }, () => insertJob(api.pool)));
    await end(jobs[0] ?? '', 5, (settlement) => settlement);
    const query = `query ($first: Int) { jobs(first: $first) { nodes {
      metrics { ${JOB_METRICS} } hour: metrics(window: LAST_HOUR) { ${JOB_METRICS} }
      all: metrics(window: ALL_TIME) { ${JOB_METRICS} }
    } } }`;
    const statementsFor = async (first: number) => {
      api.takeStatements();
      await api.query(query, { first });
      return api.takeStatements().length;
    };
    const one = await statementsFor(1);
    // The jobs; series, sketches and the start of ALL_TIME for both; and the last ends.
    expect(one).toBeLessThanOrEqual(6);
    expect(await statementsFor(100)).toBe(one);
  });
});

const SYSTEM = `totalJobs activeJobs pausedJobs totalExecutions successRate avgExecutionTimeMs executionsLast24h
  failedExecutionsLast24h currentLoad { pendingExecutions runningExecutions retryingExecutions blockedExecutions }
  executionTimeMs { ${PERCENTILES} } latenessMs { ${PERCENTILES} } deadLetters`;

/** The value that a sketch has for 100 ms. */
const HUNDRED = { ...percentilesOf([SKETCH_ENTRY_RADIX + sketchBucketOf(100)], 100) };

describe('the figures of the system', () => {
  it('cover all jobs together', async () => {
    const [active, paused] = [
      await insertJob(api.pool),
      await insertJob(api.pool, { status: 'PAUSED', paused_at: START }),
    ];
    await insertJob(api.pool, { status: 'COMPLETED' });
    const deleted = await insertJob(api.pool, { status: 'DELETED', deleted_at: START });
    for (const job of [active, paused, deleted]) await end(job, 2, (settlement) => settlement);
    await end(active, 2, (settlement) => ({ ...settlement, status: 'FAILED', failureReason: 'TIMEOUT' }));
    for (const status of ['PENDING', 'PENDING', 'RETRYING', 'BLOCKED', 'RUNNING'] as const) {
      await insertExecution(api.pool, active, status);
    }
    expect(await api.query(`{ systemMetrics { ${SYSTEM} } }`)).toEqual({
      systemMetrics: {
        totalJobs: 3,
        activeJobs: 1,
        pausedJobs: 1,
        totalExecutions: 8,
        successRate: 75,
        avgExecutionTimeMs: 100,
        executionsLast24h: 8,
        failedExecutionsLast24h: 2,
        currentLoad: {
          pendingExecutions: 2,
          runningExecutions: 1,
          retryingExecutions: 1,
          blockedExecutions: 1,
        },
        executionTimeMs: HUNDRED,
        latenessMs: null,
        deadLetters: 2,
      },
    });
  });

  it('are empty before anything has ended', async () => {
    const { systemMetrics } = await api.query<{ systemMetrics: Row }>(`{ systemMetrics { ${SYSTEM} } }`);
    expect(systemMetrics).toMatchObject({
      totalJobs: 0,
      totalExecutions: 0,
      successRate: null,
      avgExecutionTimeMs: null,
      latenessMs: null,
    });
  });

  it('keep data older than a day', async () => {
    await end(await insertJob(api.pool), 2, (settlement) => settlement);
    api.clock.set(plus(START, 26 * HOUR_MS).toISOString());
    const { systemMetrics } = await api.query<{ systemMetrics: Row }>(`{ systemMetrics { ${SYSTEM} } }`);
    expect(systemMetrics).toMatchObject({ totalExecutions: 2, executionsLast24h: 0, latenessMs: null });
  });

  it('are read by one statement', async () => {
    api.takeStatements();
    await api.query(`{ systemMetrics { ${SYSTEM} } }`);
    expect(api.takeStatements()).toHaveLength(1);
  });
});

describe('following the figures of the system', () => {
  const FOLLOW = 'subscription ($ms: Int) { systemMetrics(intervalMs: $ms) { totalExecutions } }';
  type Item = { systemMetrics: { totalExecutions: number } };

  it('sends them at once and again at each interval', async () => {
    const job = await insertJob(api.pool);
    const feed = await api.subscribe<Item>(FOLLOW, { ms: 250 });
    expect((await feed.next()).value).toEqual({ systemMetrics: { totalExecutions: 0 } });
    await end(job, 3, (settlement) => settlement);
    for (let seen = 0; seen < 3;) {
      const { value } = (await feed.next()) as { value: Item };
      seen = value.systemMetrics.totalExecutions;
    }
    await feed.return(undefined);
  });

  it('costs one read per interval for any number of followers', async () => {
    const feeds = await Promise.all(
      Array.from({ length: 50 }, () => api.subscribe<Item>(FOLLOW, { ms: 250 })),
    );
    await Promise.all(feeds.map((feed) => feed.next()));
    api.takeStatements();
    await Promise.all(feeds.map((feed) => feed.next()));
    await Promise.all(feeds.map((feed) => feed.next()));
    const reads = api.takeStatements().filter((text) => text.includes("the system's figures"));
    // Two intervals, and a third if this machine was slow.
    expect(reads.length).toBeLessThanOrEqual(3);
    await Promise.all(feeds.map((feed) => feed.return(undefined)));
  });

  it.each([249, 60_001, -1])('refuses an interval of %i ms', async (ms) => {
    await expect(api.subscribe(FOLLOW, { ms })).rejects.toThrow(
      '"code":"BAD_USER_INPUT","argument":"intervalMs"',
    );
  });
});

/** Ends executions of a job that started at START, after 100 ms by default. */
async function end(
  job: string,
  executions: number,
  change: (settlement: Settlement) => Settlement,
  facts?: string,
): Promise<void> {
  const ids = await insertRunning(api.pool, job, executions);
  if (facts !== undefined) {
    await api.pool.query(`UPDATE job_executions SET ${facts} WHERE id = ANY($1)`, [ids]);
  }
  const written = await settleLocked(
    api.pool,
    ids.map((id) => settlementRow(change(succeeded(id)))),
  );
  expect(written.size).toBe(executions);
}

async function metricsOf(jobId: string, window: string): Promise<JobMetrics> {
  const { job } = await api.query<{ job: { metrics: JobMetrics } }>(
    `query ($id: ID, $window: MetricsWindow) { job(id: $id) { metrics(window: $window) { ${JOB_METRICS} } } }`,
    { id: encodePublicId('Job', jobId), window },
  );
  return job.metrics;
}

/** Pseudorandom numbers in [0, 1) that are the same each time. */
function randomNumbers(): () => number {
  let state = 42;
  return () => {
    state = (state * 1_664_525 + 1_013_904_223) % 2 ** 32;
    return state / 2 ** 32;
  };
}
