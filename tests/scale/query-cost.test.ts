import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createApiHarness, type ApiHarness } from '../graphql/api-harness.ts';
import { DASHBOARD_QUERIES } from '../support/dashboard-queries.ts';
import { explain, nodesOf } from './explain.ts';
import { END, fill, type Scale } from './fill.ts';

const SMALL: Scale = { jobs: 1_000, executions: 10_000, unfinished: 40 };
const LARGE: Scale = { jobs: 100_000, executions: 1_000_000, unfinished: 50_000 };
/** By the depth of indexes and the length of sketches; a count would read a hundred times as much. */
const MAX_RATIO = 4;
/** A hundred jobs with a day's figures are some thousand rows; lists and counts have tens of thousands and more. */
const MAX_DASHBOARD_ROWS = 8_000;

let small: ApiHarness;
let large: ApiHarness;

beforeAll(async () => {
  [small, large] = [await createApiHarness(), await createApiHarness()];
  await fillApi(small, SMALL);
  await fillApi(large, LARGE);
}, 240_000);
afterAll(async () => {
  await small.close();
  await large.close();
});

async function fillApi(api: ApiHarness, scale: Scale): Promise<void> {
  await fill(api.pool.options.connectionString ?? '', scale);
  api.clock.set(END);
}

const SYSTEM = `{ systemMetrics {
  totalJobs activeJobs pausedJobs totalExecutions successRate deadLetters
  currentLoad { pending: pendingExecutions running: runningExecutions retrying: retryingExecutions blocked: blockedExecutions } executionTimeMs { p50 p99 max } latenessMs { p95 }
} }`;
const jobQuery = (key: string, window: string) => `{ job(key: "${key}") { metrics(window: ${window}) {
  totalExecutions successRate lastFailureAt executionTimeMs { p50 p99 max } latenessMs { p95 } series { success failed }
} } }`;

describe('with 100,000 jobs and 1,000,000 executions instead of 1,000 and 10,000', () => {
  it('the figures of the system cost the same', async () => {
    const [few, many] = [await costOf(small, SYSTEM), await costOf(large, SYSTEM)];
    expect(few.data).toMatchObject({ systemMetrics: loadOf(SMALL) });
    expect(many.data).toMatchObject({ systemMetrics: loadOf(LARGE) });
    expect(many.pages / few.pages).toBeLessThan(MAX_RATIO);
    expect(many.rows / few.rows).toBeLessThan(MAX_RATIO);
  });

  it.each(['LAST_24H', 'LAST_30D', 'ALL_TIME'])('those of a job cost the same: %s', async (window) => {
    const source = jobQuery('key-2', window);
    const [few, many] = [await costOf(small, source), await costOf(large, source)];
    expect(few.pages).toBeGreaterThan(1);
    expect(many.pages / few.pages).toBeLessThan(MAX_RATIO);
    expect(many.rows / few.rows).toBeLessThan(MAX_RATIO);
  });
});

describe('beside a million executions, what a dashboard asks for', () => {
  it.each(DASHBOARD_QUERIES)(
    'reads no more than it shows, many times over: %s',
    async (_what, _atMost, source) => {
      const { rows, pages } = await costOf(large, source);
      expect(rows).toBeLessThan(MAX_DASHBOARD_ROWS);
      expect(pages).toBeLessThan(MAX_DASHBOARD_ROWS);
    },
  );
});

describe('the newest jobs of a tag that thousands have', () => {
  it('are those that a list of jobs shows for it', async () => {
    type Nodes = { nodes: { id: string }[] };
    const { tags } = await large.query<{ tags: { nodes: { name: string; jobs: Nodes }[] } }>(
      '{ tags(first: 100) { nodes { name jobs(first: 7) { nodes { id } } } } }',
    );
    for (const { name, jobs } of tags.nodes) {
      const list = await large.query<{ jobs: Nodes }>(
        `{ jobs(first: 7, where: { tags: { hasAny: ["${name}"] } }) { nodes { id } } }`,
      );
      expect(jobs, name).toEqual(list.jobs);
    }
    expect(tags.nodes.filter(({ jobs }) => jobs.nodes.length === 7)).toHaveLength(3);
  });
});

/** What the database reads to answer, in pages and in rows. */
async function costOf(
  api: ApiHarness,
  source: string,
): Promise<{ data: unknown; pages: number; rows: number }> {
  api.takeQueries();
  const data = await api.query(source);
  let [pages, rows] = [0, 0];
  for (const { text, values } of api.takeQueries()) {
    const plan = await explain(api.pool, text, values);
    pages += (plan?.['Shared Hit Blocks'] ?? 0) + (plan?.['Shared Read Blocks'] ?? 0);
    for (const node of nodesOf(plan).filter((each) => each['Relation Name'] !== undefined))
      rows += (node['Actual Rows'] + (node['Rows Removed by Filter'] ?? 0)) * node['Actual Loops'];
  }
  return { data, pages, rows };
}

function loadOf({ executions, unfinished }: Scale): object {
  const each = unfinished / 4;
  return {
    totalExecutions: executions - unfinished,
    currentLoad: { pending: each, running: each, retrying: each, blocked: each },
  };
}
