import type { Pool } from 'pg';
import { expect, it } from 'vitest';
import { MAX_RUNS_PER_DECISION, type MisfirePolicy } from '../../src/domain/schedule/misfire.ts';
import { apiClient } from '../support/api-client.ts';
import { within } from '../support/faults/answers.ts';
import { DEFAULTS } from '../support/faults/defaults.ts';
import { latenesses, reportFigures, spread } from '../support/faults/figures.ts';
import { createJobs, cutSchedules } from '../support/faults/load.ts';
import { startHosts } from '../support/faults/many-hosts.ts';
import { readMissed, type Missed } from '../support/faults/missed.ts';
import { unhandledErrors } from '../support/faults/server-log.ts';
import { checkHistory } from '../support/history.ts';
import { plus } from '../support/manual-clock.ts';
import { count, insertJob } from '../support/rows.ts';
import type { RecordedCall } from '../support/target-server.ts';
import { until } from '../support/until.ts';
import { useWorld } from '../support/world.ts';

const world = useWorld('test');
const MINUTE_MS = 60_000;
const DOWN_MINUTES = 6 * 60;
/**
 * The minimum number of minutes with missed slots. It excludes the last minute, which is within the misfire grace, the
 * half minute before the next slot of the minutely jobs, and up to one minute before the full minute at which the
 * capped jobs start.
 */
const MISSED_MINUTES = { minutely: DOWN_MINUTES - 2, capped: DOWN_MINUTES - 3 };
/** The jobs with RUN_ALL. There are enough of them for most of a minute of work. */
const MINUTELY: Record<MisfirePolicy, number> = { RUN_ONCE: 480, SKIP: 480, RUN_ALL: 40 };
/** Has missed more slots than RUN_ALL runs. */
const EVERY_15_SECONDS = '*/15 * * * * *';
const CAPPED_JOBS = 2;
const NEW_JOBS = 50;
const HOSTS = 10;
/** From the start of the server to the next slot of the minutely jobs. */
const NEXT_SLOT_MS = 30_000;
const START_LIMIT_MS = 10_000;
const LATENESS_LIMIT_MS = 2_000;

/** Jobs in the state that a scheduler left six hours ago, shortly after their creation. */
async function insertMissedJobs(pool: Pool, urls: readonly string[]): Promise<void> {
  const nextSlot = new Date(Math.floor((Date.now() + NEXT_SLOT_MS) / 1_000) * 1_000);
  const firstMissed = plus(nextSlot, -DOWN_MINUTES * MINUTE_MS);
  const leave = (policy: MisfirePolicy, jobs: number, schedule: string, nextRunAt: Date) =>
    Array.from({ length: jobs }, (_, index) =>
      insertJob(pool, {
        api: `${urls[index % urls.length] ?? ''}/${policy}`,
        schedule,
        misfire_policy: policy,
        created_at: plus(nextRunAt, -1_000),
        updated_at: plus(nextRunAt, -1_000),
        next_run_at: nextRunAt,
      }),
    );
  const minutely = `${nextSlot.getUTCSeconds()} * * * * *`;
  const fullMinute = new Date(Math.ceil(firstMissed.getTime() / MINUTE_MS) * MINUTE_MS);
  await Promise.all([
    ...leave('RUN_ONCE', MINUTELY.RUN_ONCE, minutely, firstMissed),
    ...leave('SKIP', MINUTELY.SKIP, minutely, firstMissed),
    ...leave('RUN_ALL', MINUTELY.RUN_ALL, minutely, firstMissed),
    ...leave('RUN_ALL', CAPPED_JOBS, EVERY_15_SECONDS, fullMinute),
  ]);
}

const unplanned = (pool: Pool) => count(pool, `jobs WHERE next_run_at < now() - interval '1 min'`);
const waiting = (pool: Pool) =>
  count(pool, `job_executions WHERE trigger = 'CATCH_UP' AND finished_at IS NULL`);

function expectPolicyKept(job: Missed): void {
  const missed =
    job.policy === 'RUN_ALL'
      ? job.caughtUp + job.skipped
      : job.policy === 'SKIP'
        ? job.skipped
        : job.standsFor;
  expect(missed).toBeGreaterThanOrEqual(MISSED_MINUTES.minutely);
  expect(job).toMatchObject({ serializeCalls: true, asGraceSays: true });
  switch (job.policy) {
    case 'RUN_ONCE':
      expect(job).toMatchObject({ caughtUp: 1, ranges: 1, skipped: missed - 1 });
      break;
    case 'SKIP':
      expect(job).toMatchObject({ caughtUp: 0, ranges: 1 });
      break;
    case 'RUN_ALL':
      expect(job).toMatchObject(
        job.schedule === EVERY_15_SECONDS
          ? { caughtUp: MAX_RUNS_PER_DECISION, standsFor: 1, ranges: 1 }
          : { standsFor: 1, ranges: 0 },
      );
  }
}

/** The API's view of the slots beyond the cap. */
const RANGES = /* GraphQL */ `
  {
    executions(where: { status: [SKIPPED], errorMessage: { contains: "at most" } }) {
      nodes {
        slotCount
        errorMessage
      }
    }
  }
`;
type Ranges = { executions: { nodes: { slotCount: number; errorMessage: string }[] } };

it(
  'keeps the policy of 1,000 minutely jobs after six hours, and runs new slots on time meanwhile',
  { timeout: 400_000 },
  async () => {
    const { pool } = world;
    const { target, urls } = await startHosts(HOSTS);
    target.script('/RUN_ALL', within(500));
    // It has started once before, so the measurement includes no build or migration.
    expect(await (await world.startServer(DEFAULTS)).stop()).toEqual({ code: 0, signal: null });
    await insertMissedJobs(pool, urls);

    const since = performance.now();
    const server = await world.startServer(DEFAULTS);
    const startMs = performance.now() - since;
    const readyAt = Date.now();
    const api = apiClient(server);
    await createJobs(api, NEW_JOBS, (index) => ({
      api: `${urls[index % HOSTS] ?? ''}/new`,
      schedule: '* * * * * *',
    }));
    await until(async () => (await unplanned(pool)) === 0, { timeoutMs: 120_000, what: 'all is planned' });
    const plannedMs = Date.now() - readyAt;
    const backlog = await waiting(pool);
    await until(async () => (await waiting(pool)) === 0, { timeoutMs: 180_000, what: 'the backlog is gone' });
    const drainedAt = Date.now();

    await cutSchedules(pool);
    const history = await checkHistory(pool, target.calls);
    const isMeanwhile = ({ headers }: RecordedCall) => {
      const slotMs = Date.parse(headers['x-scheduled-at'] ?? '');
      return slotMs > readyAt && slotMs < drainedAt;
    };
    const lateness = (paths: readonly string[]) =>
      latenesses(paths.flatMap(target.callsTo).filter(isMeanwhile));
    const newJobs = lateness(['/new']);
    const minutely = lateness(['/RUN_ONCE', '/SKIP', '/RUN_ALL']);
    reportFigures('6 hours down with 1,000 minutely jobs', {
      startMs,
      plannedMs,
      backlog,
      drainMs: drainedAt - readyAt,
      ...history,
      newJobs: { calls: newJobs.length, ...spread(newJobs) },
      minutelyJobs: { calls: minutely.length, ...spread(minutely) },
    });

    const missed = await readMissed(pool);
    expect(missed).toHaveLength(1_000 + CAPPED_JOBS);
    missed.forEach(expectPolicyKept);
    const { executions } = await api.query<Ranges>(RANGES);
    expect(executions.nodes).toHaveLength(CAPPED_JOBS);
    for (const { slotCount, errorMessage } of executions.nodes) {
      expect(slotCount).toBeGreaterThanOrEqual(4 * MISSED_MINUTES.capped - MAX_RUNS_PER_DECISION);
      expect(errorMessage).toContain(`The policy runs at most ${MAX_RUNS_PER_DECISION} of them.`);
    }
    expect(startMs).toBeLessThanOrEqual(START_LIMIT_MS);
    expect(minutely.length).toBeGreaterThanOrEqual(1_000);
    expect(spread([...newJobs, ...minutely]).p99Ms).toBeLessThanOrEqual(LATENESS_LIMIT_MS);
    expect(unhandledErrors(server)).toEqual([]);
  },
);
