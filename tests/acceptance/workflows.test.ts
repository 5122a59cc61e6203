import { expect, it } from 'vitest';
import { apiClient, type ApiClient } from '../support/api-client.ts';
import { checkHistory } from '../support/history.ts';
import { SHORT_LEASE } from '../support/server-process.ts';
import { until } from '../support/until.ts';
import { useWorld } from '../support/world.ts';
import { allEnded } from './endings.ts';

const world = useWorld('test');
const RUNS = 30;

async function waitFor(api: ApiClient, job: { id: string }, upstream: { id: string }): Promise<void> {
  const added = await api.query(
    /* GraphQL */ `
      mutation ($input: AddJobDependencyInput!) {
        addJobDependency(input: $input) {
          errors {
            message
          }
        }
      }
    `,
    { input: { jobId: job.id, dependsOnId: upstream.id } },
  );
  expect(added).toEqual({ addJobDependency: { errors: [] } });
}

it('triggers one run for each end, on two servers when one is killed midway', async () => {
  const { target, pool } = world;
  const [first, second] = await Promise.all([world.startServer(SHORT_LEASE), world.startServer(SHORT_LEASE)]);
  const api = apiClient(second);
  target.script('/load', ({ headers }) => ({ body: `loaded by ${headers['x-execution-id'] ?? ''}` }));
  const jobs = ['load', 'left', 'right', 'foot'].map((name) => ({
    name,
    method: 'POST',
    api: `${target.url}/${name}`,
    body: name === 'load' ? null : { of: '{{trigger.executionId}}', got: '{{trigger.body}}' },
  }));
  const [load, left, right, foot] = (await Promise.all(jobs.map((job) => api.createJob(job)))) as [
    { id: string },
    { id: string },
    { id: string },
    { id: string },
  ];
  for (const [job, upstream] of [
    [left, load],
    [right, load],
    [foot, left],
    [foot, right],
  ] as const) {
    await waitFor(api, job, upstream);
  }

  const loads = await api.triggerMany(load, RUNS);
  await target.received('/foot', 3);
  await first.kill();
  await allEnded(pool);

  // Each end of `load` triggered one run on each side and was passed to it. A lost attempt runs again.
  for (const side of ['/left', '/right']) {
    const passedOn = new Map(
      target
        .callsTo(side)
        .map(({ headers, body }) => [headers['x-execution-id'], JSON.parse(body) as unknown]),
    );
    expect([...passedOn.values()].sort(byUpstream)).toEqual(
      loads.map((id) => ({ of: id, got: `loaded by ${id}` })).sort(byUpstream),
    );
  }
  // The pairs depend on the pace of the two sides. But no end is used twice, and each run of `foot` uses one end of
  // each side.
  const { rows: feet } = await pool.query<{ sides: string[]; of: string[] }>(
    `SELECT array_agg(j.name ORDER BY j.name) AS sides, array_agg(u.id) AS of
     FROM job_executions AS e JOIN job_execution_triggers AS t ON t.execution_id = e.id
     JOIN job_executions AS u ON u.id = t.triggered_by_id
     JOIN jobs AS j ON j.id = u.job_id JOIN jobs AS foot ON foot.id = e.job_id
     WHERE foot.name = 'foot' GROUP BY e.id`,
  );
  expect(feet.length).toBeGreaterThan(0);
  for (const { sides } of feet) expect(sides).toEqual(['left', 'right']);
  const used = feet.flatMap(({ of }) => of);
  expect(new Set(used).size).toBe(used.length);

  const history = await checkHistory(pool, target.calls);
  expect(history.executions).toBe(3 * RUNS + feet.length);
});

it('skips the slots of a job until its upstream job has succeeded', async () => {
  const { target, pool } = world;
  target.script('/load', [500, 200]);
  const api = apiClient(await world.startServer());
  const load = await api.createJob({ api: `${target.url}/load` });
  // Paused until its dependency exists, so that no slot comes first.
  const everySecond = { schedule: '* * * * * *', status: 'PAUSED' };
  const report = await api.createJob({ api: `${target.url}/report`, ...everySecond });
  await waitFor(api, report, load);
  await api.query('mutation ($id: ID!) { resumeJob(input: { id: $id }) { errors { message } } }', {
    id: report.id,
  });
  const skipped = `SELECT FROM job_executions WHERE skip_reason = 'DEPENDENCY_NOT_MET'`;
  await api.trigger(load);
  await until(async () => (await pool.query(skipped)).rowCount === 2, { timeoutMs: 30_000 });
  expect(target.callsTo('/report')).toEqual([]);
  await api.trigger(load);
  await target.received('/report', 2);
});

function byUpstream(a: unknown, b: unknown): number {
  return JSON.stringify(a) < JSON.stringify(b) ? -1 : 1;
}
