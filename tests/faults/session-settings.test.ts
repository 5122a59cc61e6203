import { setTimeout as delay } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { apiClient } from '../support/api-client.ts';
import { within } from '../support/faults/answers.ts';
import { interruptions } from '../support/faults/claims.ts';
import { DEFAULTS } from '../support/faults/defaults.ts';
import { latenesses, reportFigures, spread } from '../support/faults/figures.ts';
import { createJobs, endSchedules, everySecond } from '../support/faults/load.ts';
import { unhandledErrors } from '../support/faults/server-log.ts';
import { checkHistory } from '../support/history.ts';
import { count } from '../support/rows.ts';
import { useWorld } from '../support/world.ts';

const world = useWorld('test');
const JOBS = 40;
const TOTAL_MS = 20_000;

type Settings = Readonly<Record<string, string>>;

/** Each would fail our statements, end our sessions or change the meaning of values. */
const CASES: readonly { what: string; by: 'DATABASE' | 'ROLE'; settings: Settings }[] = [
  { what: 'serializable', by: 'DATABASE', settings: { default_transaction_isolation: 'serializable' } },
  { what: 'repeatable read', by: 'ROLE', settings: { default_transaction_isolation: 'repeatable read' } },
  {
    what: 'short times',
    by: 'DATABASE',
    settings: {
      statement_timeout: '20ms',
      lock_timeout: '1ms',
      idle_in_transaction_session_timeout: '5ms',
      idle_session_timeout: '100ms',
    },
  },
  {
    what: 'other names and spellings',
    by: 'ROLE',
    settings: {
      search_path: 'elsewhere',
      TimeZone: 'America/New_York',
      DateStyle: 'German',
      IntervalStyle: 'sql_standard',
      bytea_output: 'escape',
      extra_float_digits: '0',
      array_nulls: 'off',
    },
  },
];

/** For a role in this database only. This is stronger than settings of the role or the database. */
async function change(by: 'DATABASE' | 'ROLE', settings: Settings): Promise<void> {
  const database = new URL(world.connectionString).pathname.slice(1);
  const whose = by === 'DATABASE' ? `DATABASE ${database}` : `ROLE CURRENT_USER IN DATABASE ${database}`;
  for (const [name, value] of Object.entries(settings))
    await world.pool.query(`ALTER ${whose} SET ${name} = '${value}'`);
}

it.each(CASES)(
  'two instances lose no outcome when the $by gives sessions other settings: $what',
  { timeout: 180_000 },
  async ({ what, by, settings }) => {
    const { target, pool } = world;
    await change(by, settings);
    // Uses the role whose settings were changed.
    const env = { ...DEFAULTS, DATABASE_URL: world.connectionString, DATABASE_MIGRATION_URL: '' };
    const servers = await Promise.all([world.startServer(env), world.startServer(env)]);
    target.script('/work', within(500));
    await createJobs(apiClient(servers[0]), JOBS, (index) => ({
      api: `${target.url}/work`,
      ...everySecond(index),
    }));
    await delay(TOTAL_MS);
    await endSchedules(pool);

    const history = await checkHistory(pool, target.calls);
    reportFigures(`two instances, sessions' settings changed: ${what}`, {
      ...history,
      lateness: spread(latenesses(target.calls)),
    });
    expect(history.executions).toBe(history.slots);
    expect(history.slots).toBeGreaterThanOrEqual((JOBS * TOTAL_MS) / 1_000);
    expect(await count(pool, `job_executions WHERE status = 'SUCCESS'`)).toBe(history.executions);
    expect(await interruptions(pool)).toEqual([]);
    expect(servers.flatMap(unhandledErrors)).toEqual([]);
    for (const server of servers) expect(server.output()).not.toContain('could not serialize');
  },
);
