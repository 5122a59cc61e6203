import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { encodePublicId } from '../../src/domain/values/public-id.ts';
import { BLOCKED_ADDRESS, clearJobs, START } from '../commands/harness.ts';
import { insertJob } from '../support/rows.ts';
import { type ApiHarness, createApiHarness } from './api-harness.ts';

let api: ApiHarness;

beforeAll(async () => {
  api = await createApiHarness();
});
afterAll(async () => {
  await api.close();
});
beforeEach(async () => {
  api.clock.set(START);
  await clearJobs(api.pool);
});

const VALID = { name: 'Report', api: 'https://example.test/report', schedule: '0 * * * * *' };
const CREATE = `mutation ($input: CreateJobInput!) { createJob(input: $input) { job { id } errors {
  __typename code message path ... on ValidationError { issues { path message } }
} } }`;
type Payload = {
  job: object | null;
  errors: { __typename: string; message: string; path: string[] | null; issues?: { path: string[] }[] }[];
};

async function nothingWritten(): Promise<boolean> {
  const { rows } = await api.pool.query<{ written: boolean }>(
    `SELECT EXISTS (SELECT FROM jobs) OR EXISTS (SELECT FROM job_audit_log) OR EXISTS (SELECT FROM event_log) AS written`,
  );
  return rows[0]?.written === false;
}

describe('createJob', () => {
  it.each<[string, object, string, string, RegExp]>([
    ['an unknown time zone', { timezone: 'Mars/Olympus' }, 'ValidationError', 'timezone', /IANA/],
    ['a cron of 1 field', { schedule: '*' }, 'InvalidScheduleError', 'schedule', /6 .* or 5/],
    ['a cron of 2 fields', { schedule: '* *' }, 'InvalidScheduleError', 'schedule', /6 .* or 5/],
    ['a cron of 3 fields', { schedule: '* * *' }, 'InvalidScheduleError', 'schedule', /6 .* or 5/],
    ['a cron of 4 fields', { schedule: '* * * *' }, 'InvalidScheduleError', 'schedule', /6 .* or 5/],
    ['an empty schedule', { schedule: '' }, 'InvalidScheduleError', 'schedule', /empty/],
    ['the 30th of February', { schedule: '0 0 0 30 2 *' }, 'InvalidScheduleError', 'schedule', /never/],
    ['a URL that is not http', { api: 'file:///etc/passwd' }, 'ValidationError', 'api', /http/],
    ['a negative timeout', { timeoutMs: -1 }, 'ValidationError', 'timeoutMs', /1 to 3600000/],
    ['a timeout of 2^31 - 1', { timeoutMs: 2 ** 31 - 1 }, 'ValidationError', 'timeoutMs', /1 to 3600000/],
    [
      'a negative delay',
      { retryPolicy: { initialDelayMs: -1 } },
      'ValidationError',
      'retryPolicy.initialDelayMs',
      /1 to 2147483647/,
    ],
    ['a huge jitter', { retryPolicy: { jitter: 1e300 } }, 'ValidationError', 'retryPolicy.jitter', /0 to 1/],
    ['a name of 10 MB', { name: 'n'.repeat(10_000_000) }, 'ValidationError', 'name', /1 to 200/],
    ['headers that are no object', { headers: 'Accept' }, 'ValidationError', 'headers', /object/],
    ['status DELETED', { status: 'DELETED' }, 'ValidationError', 'status', /ACTIVE or PAUSED/],
    ['a blocked address', { api: `http://${BLOCKED_ADDRESS}/` }, 'TargetBlockedError', 'api', /169\.254/],
  ])(
    'answers %s with a typed error that names field and limit',
    async (_what, input, typename, path, message) => {
      const { createJob } = await api.query<{ createJob: Payload }>(CREATE, {
        input: { ...VALID, ...input },
      });
      expect(createJob.job).toBeNull();
      expect(createJob.errors).toHaveLength(1);
      const [error] = createJob.errors;
      expect(error).toMatchObject({ __typename: typename, path: path.split('.') });
      expect(error?.message).toMatch(message);
      expect(error?.message.length).toBeLessThan(500);
      expect(await nothingWritten()).toBe(true);
    },
  );

  it.each<[string, object, RegExp]>([
    ['a timeout of 2^31', { timeoutMs: 2 ** 31 }, /timeoutMs.*32-bit/],
    ['a delay of 2^31', { retryPolicy: { maxDelayMs: 2 ** 31 } }, /maxDelayMs.*32-bit/],
    ['a jitter of NaN', { retryPolicy: { jitter: 'NaN' } }, /jitter.*NaN/],
    ['a runAt on the 30th of February', { runAt: '2025-02-30T00:00:00Z' }, /runAt.*DateTime/],
    ['a runAt without a zone', { runAt: '2025-02-03T00:00:00' }, /runAt.*DateTime/],
    ['a runAt in the year 10000', { runAt: '+010000-01-01T00:00:00Z' }, /runAt.*1970 to 9999/],
    ['a runAt that is a number', { runAt: 1_740_000_000 }, /runAt.*DateTime/],
    ['a method that is none', { method: 'BREW' }, /method/],
  ])('refuses %s before it runs, naming the field', async (_what, input, message) => {
    const { data, errors } = await api.execute(CREATE, { input: { ...VALID, ...input } });
    expect(data).toBeUndefined();
    expect(errors[0]?.message).toMatch(message);
    expect(await nothingWritten()).toBe(true);
  });
});

describe('an id', () => {
  const others = ['', 'job_', 'nonsense', encodePublicId('Job', '0195509c-9c00-7abc-8def-0123456789ab')];

  it.each([...others, encodePublicId('Execution', '0195509c-9c00-7abc-8def-0123456789ab')])(
    'that names nothing (%j) is not found',
    async (id) => {
      const data = await api.query(
        `mutation ($id: ID!) {
          updateJob(input: { id: $id, name: "New" }) { errors { code path } }
          pauseJob(input: { id: $id }) { errors { code } }
          resumeJob(input: { id: $id }) { errors { code } }
          deleteJob(input: { id: $id }) { errors { code } }
          triggerJob(input: { id: $id }) { execution { id } errors { code ... on NotFoundError { id } } }
        }`,
        { id },
      );
      const errors = [{ code: 'NOT_FOUND' }];
      expect(data).toEqual({
        updateJob: { errors: [{ code: 'NOT_FOUND', path: ['id'] }] },
        pauseJob: { errors },
        resumeJob: { errors },
        deleteJob: { errors },
        triggerJob: { execution: null, errors: [{ code: 'NOT_FOUND', id }] },
      });
      const read = `query ($id: ID!) { job(id: $id) { id } execution(id: $id) { id } node(id: $id) { id } nodes(ids: [$id]) { id } }`;
      expect(await api.query(read, { id })).toEqual({
        job: null,
        execution: null,
        node: null,
        nodes: [null],
      });
    },
  );
});

describe('a job', () => {
  it.each(['', '(id: null)', '(key: null)', '(id: null, key: null)', '(id: "job_", key: "report")'])(
    'needs exactly one of id and key: job%s is refused',
    async (args) => {
      const { errors } = await api.execute(`{ job${args} { id } }`);
      expect(errors).toMatchObject([
        { message: expect.stringContaining('exactly one') as string, extensions: { code: 'BAD_USER_INPUT' } },
      ]);
    },
  );
});

describe('a list', () => {
  async function refusal(
    args: string,
    variables: Record<string, unknown> = {},
    types = '',
  ): Promise<[unknown, string]> {
    const { errors } = await api.execute(`query ${types} { jobs(${args}) { nodes { id } } }`, variables);
    return [errors[0]?.extensions?.['code'], errors[0]?.message ?? ''];
  }

  it.each([
    ['first: 101', /^first: .*0 to 100/],
    ['first: -1', /^first: .*0 to 100/],
    ['last: 1000', /^last: .*0 to 100/],
    ['first: 1, last: 1', /^last: .*first/],
    ['after: "nonsense"', /^after: .*no cursor/],
    ['before: ""', /^before: .*no cursor/],
    ['orderBy: [{ field: NAME, direction: ASC }, { field: NAME, direction: DESC }]', /^orderBy: .*twice/],
    ['where: { name: { contains: "\\u0000" } }', /^where\.name: .*NUL/],
  ])('refuses %s, naming argument and limit', async (args, message) => {
    const [code, text] = await refusal(args);
    expect(code).toBe('BAD_USER_INPUT');
    expect(text).toMatch(message);
  });

  it('refuses a cursor of another ordering, of another version, and one with values of the wrong kind', async () => {
    await insertJob(api.pool);
    const { jobs } = await api.query<{ jobs: { pageInfo: { endCursor: string } } }>(
      '{ jobs { pageInfo { endCursor } } }',
    );
    const parts = JSON.parse(Buffer.from(jobs.pageInfo.endCursor, 'base64url').toString()) as [
      number,
      string,
      unknown[],
    ];
    const forged = (...cursor: unknown[]) => Buffer.from(JSON.stringify(cursor)).toString('base64url');
    const stale = await refusal(
      `after: "${jobs.pageInfo.endCursor}", orderBy: [{ field: NAME, direction: ASC }]`,
    );
    expect(stale).toEqual(['BAD_USER_INPUT', expect.stringMatching(/^after: .*another ordering/)]);
    const forgeries = [
      forged(2, parts[1], parts[2]),
      forged(1, parts[1], ['x', 'y']),
      forged(1, parts[1], [null, parts[2][1]]),
      forged(1, parts[1], [1e300, parts[2][1]]),
      forged(1, parts[1], []),
      forged(),
    ];
    for (const cursor of forgeries) {
      expect(await refusal(`after: "${cursor}"`)).toEqual([
        'BAD_USER_INPUT',
        expect.stringMatching(/^after: .*no cursor/),
      ]);
    }
  });

  it('refuses a filter that is too deep, too wide, or too long', async () => {
    let deep: object = { name: { eq: 'x' } };
    for (let level = 0; level < 9; level += 1) deep = { NOT: deep };
    const wide = { OR: Array.from({ length: 201 }, () => ({ name: { eq: 'x' } })) };
    const long = { id: Array.from({ length: 1_001 }, () => 'x') };
    for (const where of [deep, wide, long]) {
      const [code, text] = await refusal('where: $where', { where }, '($where: JobWhere)');
      expect([code, text.startsWith('where')]).toEqual(['BAD_USER_INPUT', true]);
    }
  });
});

describe('previewSchedule', () => {
  it.each([
    ['schedule: "* * *"', /^schedule: has 3 fields/],
    ['schedule: ""', /^schedule: is empty/],
    ['schedule: "0 0 0 30 2 *"', /^schedule: day of month/],
    ['schedule: "* * * * *", timezone: "UTC+2"', /^timezone: /],
    ['schedule: "* * * * *", count: 0', /^count: /],
    ['schedule: "* * * * *", count: 101', /^count: .*100/],
    [
      'schedule: "* * * * *", startAt: "2030-01-02T00:00:00Z", endAt: "2030-01-02T00:00:00Z"',
      /^endAt: .*startAt/,
    ],
  ])('refuses (%s), naming argument and limit', async (args, message) => {
    const { errors } = await api.execute(`{ previewSchedule(${args}) { runs } }`);
    const argument = /^[a-zA-Z]+/.exec(errors[0]?.message ?? '')?.[0];
    expect(errors).toMatchObject([{ extensions: { code: 'BAD_USER_INPUT', argument } }]);
    expect(errors[0]?.message).toMatch(message);
  });

  it('shows the effect of a valid schedule', async () => {
    const data = await api.query(
      `{ previewSchedule(schedule: "30 2 * * *", timezone: "europe/berlin", from: "2025-03-29T12:00:00+01:00", count: 2) {
        schedule timezone description runs warnings
      } }`,
    );
    expect(data).toMatchObject({
      previewSchedule: {
        schedule: '30 2 * * *',
        timezone: 'Europe/Berlin',
        runs: ['2025-03-30T01:30:00.000Z', '2025-03-31T00:30:00.000Z'],
      },
    });
  });

  it('shows the effect of a job with a window, counting @every from its start', async () => {
    const preview = (window: string) =>
      api.query(
        `{ previewSchedule(schedule: "@every 7h", from: "2025-01-01T00:00:00Z", count: 3, ${window}) { runs warnings } }`,
      );
    expect(await preview('startAt: "2024-12-31T20:00:00Z", endAt: "2025-01-01T10:00:00Z"')).toEqual({
      previewSchedule: {
        runs: ['2025-01-01T03:00:00.000Z', '2025-01-01T10:00:00.000Z'],
        warnings: [],
      },
    });
    expect(await preview('endAt: "2024-12-31T00:00:00Z"')).toEqual({
      previewSchedule: { runs: [], warnings: ['It never fires again.'] },
    });
  });
});
