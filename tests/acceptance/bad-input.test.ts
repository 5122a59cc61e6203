import { afterEach, beforeAll, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { decodeCursor } from '../../src/events/cursor.ts';
import { readEventLogState } from '../../src/store/events/event-log.ts';
import { apiClient } from '../support/api-client.ts';
import { firstCursor } from '../support/event-follower.ts';
import { post, wsClient } from '../support/graphql-clients.ts';
import type { ServerProcess } from '../support/server-process.ts';
import { useWorld } from '../support/world.ts';
import { allEnded } from './endings.ts';

const world = useWorld('file');
let server: ServerProcess;
let counted: unknown;

beforeAll(async () => {
  server = await world.startServer();
  const api = apiClient(server);
  await api.trigger(await api.createJob({ api: `${world.target.url}/good` }));
  await allEnded(world.pool);
});

const TABLES = [
  'jobs',
  'job_executions',
  'job_execution_logs',
  'job_audit_log',
  'failed_jobs_dlq',
  'event_log',
];

async function countRows(): Promise<unknown> {
  const counts = TABLES.map((table) => `(SELECT count(*)::int FROM ${table}) AS ${table}`);
  return (await world.pool.query(`SELECT ${counts.join(', ')}`)).rows[0];
}

beforeEach(async () => {
  counted = await countRows();
});

// For every request: the server writes nothing and keeps running.
afterEach(async () => {
  expect(await countRows()).toEqual(counted);
  const { body } = await post<{ health: { status: string } }>(server.url, '{ health { status } }');
  expect(body).toEqual({ data: { health: { status: 'UP' } } });
});

const CREATE = /* GraphQL */ `
  mutation ($input: CreateJobInput!) {
    createJob(input: $input) {
      job {
        id
      }
      errors {
        __typename
        path
        message
      }
    }
  }
`;

function create(input: Record<string, unknown>) {
  const valid = { name: 'Bad input', api: 'http://127.0.0.1:9/never', schedule: '0 * * * * *' };
  return post(server.url, CREATE, { input: { ...valid, ...input } });
}

const THE_FIELDS = /cron takes 6 \(second, minute, .*\) or 5 /;

describe('a job is refused with a typed error that names the field and the allowed values when it has', () => {
  it.each<[what: string, input: Record<string, unknown>, type: string, path: string, message: RegExp]>([
    ['an unknown zone', { timezone: 'Mars/Olympus' }, 'ValidationError', 'timezone', /IANA time zone/],
    ['a cron of 1 field', { schedule: '5' }, 'InvalidScheduleError', 'schedule', THE_FIELDS],
    ['a cron of 2 fields', { schedule: '5 5' }, 'InvalidScheduleError', 'schedule', THE_FIELDS],
    ['a cron of 3 fields', { schedule: '* * *' }, 'InvalidScheduleError', 'schedule', THE_FIELDS],
    ['a cron of 4 fields', { schedule: '* * * *' }, 'InvalidScheduleError', 'schedule', THE_FIELDS],
    ['an empty schedule', { schedule: '' }, 'InvalidScheduleError', 'schedule', /schedule: is empty/],
    [
      'a 30 February',
      { schedule: '0 0 0 30 2 *' },
      'InvalidScheduleError',
      'schedule',
      /30 never comes in FEB/,
    ],
    ['an ftp URL', { api: 'ftp://127.0.0.1/file' }, 'ValidationError', 'api', /http:\/\/ or https:\/\//],
    [
      'a script for a URL',
      { api: 'javascript:alert(1)' },
      'ValidationError',
      'api',
      /http:\/\/ or https:\/\//,
    ],
    ['no URL at all', { api: 'nowhere' }, 'ValidationError', 'api', /http:\/\/ or https:\/\//],
    ['a negative timeout', { timeoutMs: -1 }, 'ValidationError', 'timeoutMs', /1 to 3600000; it is -1/],
    ['a huge timeout', { timeoutMs: 2 ** 31 - 1 }, 'ValidationError', 'timeoutMs', /1 to 3600000/],
    [
      'a negative delay',
      { retryPolicy: { initialDelayMs: -1 } },
      'ValidationError',
      'retryPolicy.initialDelayMs',
      /1 to 2147483647; it is -1/,
    ],
    ['a name of 201 characters', { name: 'x'.repeat(201) }, 'ValidationError', 'name', /1 to 200/],
  ])('%s', async (_, input, type, path, message) => {
    const { body } = await create(input);
    expect(body).toEqual({
      data: {
        createJob: {
          job: null,
          errors: [
            { __typename: type, path: path.split('.'), message: expect.stringMatching(message) as string },
          ],
        },
      },
    });
  });
});

describe('a value of the wrong type is refused before anything runs: it is', () => {
  it.each<[what: string, input: Record<string, unknown>, field: string, message: RegExp]>([
    ['a timeout of 2^31', { timeoutMs: 2 ** 31 }, 'input.timeoutMs', /32-bit/],
    ['a delay of 2^31', { retryPolicy: { maxDelayMs: 2 ** 31 } }, 'input.retryPolicy.maxDelayMs', /32-bit/],
    ['NaN', { timeoutMs: 'NaN' }, 'input.timeoutMs', /non-integer value: "NaN"/],
    ['the 30th of February', { runAt: '2031-02-30T00:00:00Z' }, 'input.runAt', /DateTime takes an instant/],
  ])('%s', async (_, input, field, message) => {
    const { body } = await create(input);
    expect(body.data).toBeUndefined();
    expect(body.errors).toEqual([expect.objectContaining({ extensions: { code: 'BAD_USER_INPUT' } })]);
    expect(body.errors?.[0]?.message).toContain(`at "${field}"`);
    expect(body.errors?.[0]?.message).toMatch(message);
  });
});

it('refuses a name of 10 MB because of the request size limit', async () => {
  const { status, body } = await create({ name: 'x'.repeat(10_000_000) });
  expect(status).toBe(413);
  expect(body.errors).toEqual([
    {
      message: 'The request body is larger than the limit of 1000000 bytes.',
      extensions: { code: 'REQUEST_TOO_LARGE' },
    },
  ]);
});

it.each(['NaN', '1e999', '"unfinished'])('refuses a body whose JSON holds %s', async (text) => {
  const response = await fetch(`${server.url}/graphql`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: `{"query": ${JSON.stringify(CREATE)}, "variables": {"input": {"name": "x", "api": "http://127.0.0.1:9/", "timeoutMs": ${text}}}}`,
  });
  const { errors } = (await response.json()) as { errors: { extensions: { code: string } }[] };
  expect(errors[0]?.extensions.code).toMatch(/^BAD_(REQUEST|USER_INPUT)$/);
});

describe('an unknown id', () => {
  it.each(['job_01h455vb4pex5vsknk084sn02q', 'nonsense', `job_${'z'.repeat(100_000)}`])(
    'gives a mutation a typed error: %.40s',
    async (id) => {
      const pause = `mutation ($id: ID!) { pauseJob(input: { id: $id }) { job { id } errors { __typename path } } }`;
      const { body } = await post(server.url, pause, { id });
      const errors = [{ __typename: 'NotFoundError', path: ['id'] }];
      expect(body).toEqual({ data: { pauseJob: { job: null, errors } } });
    },
  );

  it('gives null for a query', async () => {
    const { body } = await post(server.url, `{ job(id: "nonsense") { id } execution(id: "exec_x") { id } }`);
    expect(body).toEqual({ data: { job: null, execution: null } });
  });
});

describe('a cursor', () => {
  const FOLLOW = /* GraphQL */ `
    subscription ($after: String) {
      executionEvents(after: $after) {
        ... on FeedGap {
          reason
          fromCursor
          toCursor
        }
      }
    }
  `;
  type GapData = { executionEvents: { reason: string; fromCursor: string; toCursor: string } };

  async function gapBehind(after: string) {
    const client = wsClient(server.url);
    onTestFinished(client.close);
    return (await client.subscribe<GapData>(FOLLOW, { after }).next()).data?.executionEvents;
  }

  it('that is invalid is an error of a connection', async () => {
    const { body } = await post(server.url, '{ jobs(after: "garbage") { nodes { id } } }');
    expect(body.errors).toMatchObject([
      { message: 'after: is no cursor of this connection.', extensions: { code: 'BAD_USER_INPUT' } },
    ]);
  });

  it('that is invalid gives a feed a typed gap', async () => {
    expect(await gapBehind('garbage')).toMatchObject({ reason: 'CURSOR_INVALID', fromCursor: 'garbage' });
  });

  it('whose events were pruned gives a feed a typed gap that ends where the feed continues', async () => {
    await world.pool.query('UPDATE event_log_state SET pruned_through = 1');
    onTestFinished(async () => {
      await world.pool.query('UPDATE event_log_state SET pruned_through = 0');
    });
    const stale = await firstCursor(world.pool);
    const gap = await gapBehind(stale);
    expect(gap).toMatchObject({ reason: 'CURSOR_EXPIRED', fromCursor: stale });
    const { tip } = await readEventLogState(world.pool);
    expect(decodeCursor(gap?.toCursor ?? '')?.position).toBe(tip);
  });
});
