import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createJob, type CreateJobInput } from '../../src/commands/jobs/create-job.ts';
import { pauseJob } from '../../src/commands/jobs/pause-job.ts';
import { skipRun } from '../../src/commands/jobs/skip-run.ts';
import { encodePublicId } from '../../src/domain/values/public-id.ts';
import { CALLER, START, valueOf } from '../commands/harness.ts';
import { insertJobTags } from '../support/tags.ts';
import { type ApiHarness, createApiHarness } from './api-harness.ts';

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const NOW_MS = Date.parse(START);
const iso = (ms: number) => new Date(NOW_MS + ms).toISOString();

const LOAD = `query ($from: DateTime!, $to: DateTime!, $bucketMs: Int!, $where: JobWhere) {
  plannedLoad(from: $from, to: $to, bucketMs: $bucketMs, where: $where) { from to count jobs { name } }
}`;
const RUNS = `query ($from: DateTime, $to: DateTime, $where: JobWhere, $limit: Int) {
  plannedRuns(from: $from, to: $to, where: $where, limit: $limit) { job { name } at }
}`;

type Bucket = { from: string; to: string; count: number; jobs: { name: string }[] };
type Run = { job: { name: string }; at: string };

let api: ApiHarness;

beforeAll(async () => {
  api = await createApiHarness();
  await add('hourly', { schedule: '0 * * * *' });
  await add('hourly too', { schedule: '0 * * * *' });
  await add('often', { schedule: '* * * * * *', endAt: new Date(NOW_MS + MINUTE_MS) });
  await add('later', { schedule: '*/30 * * * *', startAt: new Date(NOW_MS + 3 * HOUR_MS) });
  await add('every 90 m', { schedule: '@every 90m' });
  await add('once', { runAt: new Date(NOW_MS + 150 * MINUTE_MS) });
  await add('by hand', {});
  const paused = await add('paused', { schedule: '*/10 * * * *' });
  valueOf(await pauseJob(api.deps, CALLER, { id: paused }));
  const resting = await add('resting', { schedule: '0 * * * *' });
  valueOf(await pauseJob(api.deps, CALLER, { id: resting, until: new Date(NOW_MS + 2 * HOUR_MS) }));
  const left = await add('left out', { schedule: '0 * * * *' });
  for (const hours of [1, 3]) {
    const scheduledAt = new Date(NOW_MS + hours * HOUR_MS);
    valueOf(await skipRun(api.deps, CALLER, { jobId: left, scheduledAt }));
  }
});
afterAll(async () => {
  await api.close();
});

/** The runs at each full hour from the first to the fourth, and in the half hours between. */
const RUNS_AT: Record<string, string[]> = {
  '1:00': ['hourly', 'hourly too'],
  '1:30': ['every 90 m'],
  '2:00': ['hourly', 'hourly too', 'left out'],
  '2:30': ['once'],
  '3:00': ['every 90 m', 'hourly', 'hourly too', 'later', 'resting'],
  '3:30': ['later'],
  '4:00': ['hourly', 'hourly too', 'later', 'left out', 'resting'],
};

describe('the planned load', () => {
  it('counts the slots of the schedules of the current jobs', async () => {
    const buckets = await load(30 * MINUTE_MS, 4.5 * HOUR_MS, 30 * MINUTE_MS);
    expect(buckets.map(({ jobs }) => jobs.map(({ name }) => name).toSorted())).toEqual([
      [],
      ...Object.values(RUNS_AT),
    ]);
    expect(buckets.map(({ count }) => count)).toEqual([
      0,
      ...Object.values(RUNS_AT).map((jobs) => jobs.length),
    ]);
  });

  it('counts an endless schedule of every second as fast, and nothing in the past', async () => {
    const buckets = await load(-HOUR_MS, HOUR_MS, HOUR_MS, { name: { eq: 'often' } });
    expect(buckets).toEqual([
      { from: iso(-HOUR_MS), to: iso(0), count: 0, jobs: [] },
      { from: iso(0), to: iso(HOUR_MS), count: 60, jobs: [{ name: 'often' }] },
    ]);
  });

  it('covers the selected jobs', async () => {
    await insertJobTags(api.pool, await idOf('hourly'), ['nightly']);
    const [bucket] = await load(0, 3 * HOUR_MS, 3 * HOUR_MS, { tags: { hasAny: ['nightly'] } });
    expect(bucket).toMatchObject({ count: 2, jobs: [{ name: 'hourly' }] });
  });

  it.each([
    [0, 0, 1, 'to: must be after from.'],
    [0, 501, 1, 'bucketMs: cuts the span into 501 buckets; allowed are 500.'],
    [0, 401 * 24 * HOUR_MS, 24 * HOUR_MS, 'to: must be no more than 400 days after from.'],
  ])('from %i to %i ms in buckets of %i ms is refused', async (from, to, bucketMs, message) => {
    const { errors } = await api.execute(LOAD, { from: iso(from), to: iso(to), bucketMs });
    expect(errors).toMatchObject([{ message, extensions: { code: 'BAD_USER_INPUT' } }]);
  });
});

describe('the planned runs', () => {
  const FROM_FIRST = Object.entries(RUNS_AT).flatMap(([time, names]) => names.map((name) => [time, name]));

  it('are the next ones across jobs, soonest first', async () => {
    const where = { NOT: { name: { eq: 'often' } } };
    expect(byTime(await runs({ where, to: iso(4 * HOUR_MS + 1) }))).toEqual(FROM_FIRST);
    expect(byTime(await runs({ where, limit: 3 }))).toHaveLength(3);
  });

  it('of a later span are found without those before it', async () => {
    const span = { from: iso(2 * HOUR_MS), to: iso(4 * HOUR_MS + 1) };
    expect(byTime(await runs(span))).toEqual(FROM_FIRST.slice(3));
    expect(byTime(await runs({ ...span, limit: 5 }))).toHaveLength(5);
  });

  it('are the next runs of each job itself', async () => {
    for (const name of ['hourly', 'later', 'every 90 m', 'once', 'left out']) {
      const found = await runs({ where: { name: { eq: name } }, limit: 5 });
      const { job } = await api.query<{ job: { upcomingRuns: string[] } }>(
        'query ($id: ID) { job(id: $id) { upcomingRuns(count: 5) } }',
        { id: encodePublicId('Job', await idOf(name)) },
      );
      expect(found.map(({ at }) => at)).toEqual(job.upcomingRuns);
    }
  });

  it('are 100 by default, or from 1 to 1,000', async () => {
    expect(await runs({})).toHaveLength(100);
    for (const limit of [0, 1_001]) {
      const { errors } = await api.execute(RUNS, { limit });
      expect(errors).toMatchObject([
        {
          message: `limit: must be a whole number from 1 to 1000; it is ${limit}.`,
          extensions: { code: 'BAD_USER_INPUT', argument: 'limit' },
        },
      ]);
    }
  });

  it('of an empty span are refused, and of the past are empty', async () => {
    const { errors } = await api.execute(RUNS, { from: iso(1), to: iso(1) });
    expect(errors).toMatchObject([{ message: 'to: must be after from.' }]);
    expect(await runs({ to: iso(-1) })).toEqual([]);
  });

  it('cost the same number of statements for any number of runs', async () => {
    const statementsFor = async (limit: number) => {
      api.takeStatements();
      await runs({ limit });
      return api.takeStatements().length;
    };
    // Skipped slots, rules, jobs.
    expect([await statementsFor(1), await statementsFor(1_000)]).toEqual([3, 3]);
  });
});

/** Returns its public id. */
async function add(name: string, input: Partial<CreateJobInput>): Promise<string> {
  const job = valueOf(await createJob(api.deps, CALLER, { name, api: 'http://a.test/', ...input }));
  return encodePublicId('Job', job.id);
}

async function idOf(name: string): Promise<string> {
  const { rows } = await api.pool.query<{ id: string }>('SELECT id FROM jobs WHERE name = $1', [name]);
  return rows[0]?.id ?? '';
}

async function load(from: number, to: number, bucketMs: number, where?: object): Promise<Bucket[]> {
  const variables = {
    from: iso(from),
    to: iso(to),
    bucketMs,
    where: where ?? { NOT: { name: { eq: 'often' } } },
  };
  return (await api.query<{ plannedLoad: Bucket[] }>(LOAD, variables)).plannedLoad;
}

async function runs(variables: Record<string, unknown>): Promise<Run[]> {
  return (await api.query<{ plannedRuns: Run[] }>(RUNS, variables)).plannedRuns;
}

/** Each run as hours and minutes from now and the job's name. Runs of the same time are sorted by name. */
function byTime(found: Run[]): string[][] {
  return found
    .map(({ at, job }) => {
      const minutes = (Date.parse(at) - NOW_MS) / MINUTE_MS;
      return [`${Math.floor(minutes / 60)}:${String(minutes % 60).padStart(2, '0')}`, job.name];
    })
    .toSorted(
      ([a = '', nameA = ''], [b = '', nameB = '']) => a.localeCompare(b) || nameA.localeCompare(nameB),
    );
}
