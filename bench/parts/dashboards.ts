import type { Pool } from 'pg';
import { FOLDS } from '../../src/domain/metrics/metrics-window.ts';
import { foldRollups, foldsBefore } from '../../src/store/metrics/folding.ts';
import { fill } from '../../tests/scale/fill.ts';
import { DASHBOARD_QUERIES } from '../../tests/support/dashboard-queries.ts';
import { request } from '../harness/api.ts';
import { quantile, type Figure, type Part } from '../harness/bench.ts';
import { startProduct } from '../harness/product.ts';

const JOBS = 100_000;
const EXECUTIONS = 5_000_000;
/** Of each query, before any is counted: a thousand requests in all, in which the process compiles what it runs often. */
const FIRST = 40;
const REPEATS = 30;

/**
 * What a dashboard asks for, one query at a time, over HTTP, beside a long history. The first thousand requests of the
 * process are told apart.
 */
export const dashboards: Part = {
  name: 'dashboards',
  async run({ postgres, rounds, note }) {
    const database = await postgres.createDatabase();
    note(`dashboards: filling a database with ${EXECUTIONS} executions of ${JOBS} jobs`);
    await fill(database.connectionString, { jobs: JOBS, executions: EXECUTIONS, unfinished: 0 });
    // Nothing is to become due meanwhile, and nothing to be pruned.
    await database.pool.query(
      `UPDATE jobs SET next_run_at = now() + interval '300 days' WHERE next_run_at IS NOT NULL`,
    );
    await foldAll(database.pool);
    await database.pool.query('VACUUM ANALYZE jobs, job_execution_rollups');
    const product = await startProduct({
      DATABASE_URL: database.connectionString,
      EXECUTION_RETENTION_DAYS: '3650',
      AUDIT_RETENTION_DAYS: '3650',
    });
    try {
      const first = (await askAll(product.url, FIRST)).flatMap(({ took }) => took);
      const answered = await askAll(product.url, REPEATS * rounds);
      const all = answered.flatMap(({ took }) => took);
      for (const { what, took } of answered) {
        note(
          `dashboards: p50 ${quantile(took, 0.5).toFixed(1)} ms, p99 ${quantile(took, 0.99).toFixed(1)} ms: ${what}`,
        );
      }
      const slowest = answered.map(({ what, took }) => ({ what, ms: quantile(took, 0.5) }));
      slowest.sort((one, other) => other.ms - one.ms);
      const figures: Figure[] = [
        {
          goal: 13,
          measure: 'a dashboard query, p99, warm',
          value: quantile(all, 0.99),
          unit: 'ms',
          max: 25,
        },
        { goal: 13, measure: 'a dashboard query, p50, warm', value: quantile(all, 0.5), unit: 'ms' },
        { goal: 13, measure: `slowest: ${slowest[0]?.what}`, value: slowest[0]?.ms ?? NaN, unit: 'ms, p50' },
        {
          goal: 13,
          measure: 'a dashboard query, p99, first thousand',
          value: quantile(first, 0.99),
          unit: 'ms',
        },
      ];
      return figures;
    } finally {
      await product.stop();
      await database.drop();
    }
  },
};

interface Answered {
  what: string;
  /** Milliseconds of each request. */
  took: number[];
}

/** Asks each query some times in a row. */
async function askAll(url: string, times: number): Promise<Answered[]> {
  const answered: Answered[] = [];
  for (const [what, , query] of DASHBOARD_QUERIES) {
    const took: number[] = [];
    for (let n = 0; n < times; n += 1) {
      const startMs = performance.now();
      await request(url, query);
      took.push(performance.now() - startMs);
    }
    answered.push({ what, took });
  }
  return answered;
}

/**
 * Folds what was counted, as a scheduler would have in the months since that history ended: one that was started on it now
 * would do so for minutes beside the queries, a bite after the other, and each bite takes a core of the two.
 */
async function foldAll(pool: Pool): Promise<void> {
  const now = new Date();
  for (const fold of FOLDS) {
    while ((await foldRollups(pool, fold, foldsBefore(fold, now), 50_000)) > 0);
  }
}
