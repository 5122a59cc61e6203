import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createCommands, type Commands } from '../../src/commands/commands.ts';
import { encodePublicId } from '../../src/domain/values/public-id.ts';
import { decodeCursor, encodeCursor } from '../../src/events/cursor.ts';
import { appendEvents } from '../../src/store/events/append-events.ts';
import { pruneEvents } from '../../src/store/events/event-log.ts';
import { inTransaction } from '../../src/store/statements/sql.ts';
import { CALLER, clearJobs, START, valueOf } from '../commands/harness.ts';
import { insertJob } from '../support/rows.ts';
import { createGate } from '../support/target-server.ts';
import { until } from '../support/until.ts';
import { type ApiHarness, createApiHarness } from './api-harness.ts';

let api: ApiHarness;
let commands: Commands;

beforeAll(async () => {
  api = await createApiHarness();
  commands = createCommands(api.deps);
});
afterAll(async () => {
  await api.close();
});
beforeEach(async () => {
  api.clock.set(START);
  await clearJobs(api.pool);
});

interface Item {
  jobEvents: {
    __typename: string;
    cursor: string;
    kind: string;
    job: { id: string; name: string; status: string };
    reason?: string;
    fromCursor?: string;
    toCursor?: string;
  };
}
type Feed = AsyncGenerator<Item>;

const EVENTS = /* GraphQL */ `
  subscription ($where: JobWhere, $after: String) {
    jobEvents(where: $where, after: $after) {
      __typename
      ... on JobEvent {
        cursor
        kind
        at
        job {
          id
          name
          status
        }
      }
      ... on FeedGap {
        reason
        fromCursor
        toCursor
      }
    }
  }
`;
const NAMES = `subscription { jobEvents { ... on JobEvent { kind job { name } } } }`;

const follow = (variables: Record<string, unknown> = {}): Promise<Feed> =>
  api.subscribe<Item>(EVENTS, variables);
const ref = (uuid: string) => encodePublicId('Job', uuid);

async function next(feed: Feed): Promise<Item['jobEvents']> {
  const result = await feed.next();
  if (result.done === true) throw new Error('The feed ended');
  return result.value.jobEvents;
}

async function take(feed: Feed, count: number): Promise<Item['jobEvents'][]> {
  const items: Item['jobEvents'][] = [];
  while (items.length < count) items.push(await next(feed));
  await feed.return(undefined);
  return items;
}

async function create(name: string, input: object = {}): Promise<string> {
  const job = await commands.createJob(CALLER, { name, api: 'http://a.test/', ...input });
  return valueOf(job).id;
}

describe('jobEvents', () => {
  it('delivers each future change of a job, and nothing of its runs', async () => {
    const id = await create('Report', { schedule: '0 * * * * *' });
    const feed = await follow();
    const job = { id: ref(id) };
    await commands.triggerJob(CALLER, job);
    await commands.updateJob(CALLER, { ...job, name: 'Renamed' });
    await commands.pauseJob(CALLER, job);
    await commands.resumeJob(CALLER, job);
    await commands.deleteJob(CALLER, job);
    const other = await create('Another');
    const items = await take(feed, 5);
    expect(items.map(({ kind, job: shown }) => [kind, shown.id])).toEqual([
      ['UPDATED', ref(id)],
      ['PAUSED', ref(id)],
      ['RESUMED', ref(id)],
      ['DELETED', ref(id)],
      ['CREATED', ref(other)],
    ]);
  });

  it('publishes a deleted job, which can still be read', async () => {
    const id = await create('Gone soon');
    const feed = await follow({ where: { name: { eq: 'Gone soon' } } });
    await commands.deleteJob(CALLER, { id: ref(id) });
    expect(await next(feed)).toMatchObject({
      kind: 'DELETED',
      job: { id: ref(id), name: 'Gone soon', status: 'DELETED' },
    });
    await feed.return(undefined);
  });

  it('publishes the completion of a job', async () => {
    const id = await create('Once', { runAt: new Date('2025-03-01T13:00:00Z') });
    const feed = await follow();
    await commands.pauseJob(CALLER, { id: ref(id) });
    api.clock.set('2025-03-01T14:00:00.000Z');
    await commands.resumeJob(CALLER, { id: ref(id) });
    expect((await take(feed, 3)).map(({ kind }) => kind)).toEqual(['PAUSED', 'RESUMED', 'COMPLETED']);
  });

  it.each([
    [{ id: [] }, false],
    [{ key: { eq: 'report' } }, true],
    [{ key: { startsWith: 'other' } }, false],
    [{ name: { contains: 'ailed' } }, true],
    [{ name: { in: ['Other'] } }, false],
    [{ status: ['ACTIVE', 'PAUSED'] }, true],
    [{ NOT: { status: ['ACTIVE'] } }, false],
    [{ api: { startsWith: 'http://a.test' } }, true],
    [{ nextRunAt: { lte: '2025-03-01T12:01:00.000Z' } }, true],
    [{ nextRunAt: { lt: '2025-03-01T12:01:00.000Z' } }, false],
    [{ tags: { hasAll: ['b', 'A'] } }, true],
    [{ tags: { hasNone: ['b'] } }, false],
    [{ createdAt: { gte: START } }, true],
    [{ createdAt: { gt: START } }, false],
    [
      { OR: [{ name: { eq: 'Other' } }, { AND: [{ key: { in: ['report'] } }, { status: ['ACTIVE'] }] }] },
      true,
    ],
    [{}, true],
  ])('filters by %j: %s', async (where, isSelected) => {
    const feed = await follow({ where: { OR: [where, { key: { eq: 'last' } }] } });
    await create('Detailed', { key: 'report', schedule: '0 * * * * *', tags: ['a', 'b'] });
    await create('Last', { key: 'last' });
    expect((await next(feed)).job.name).toBe(isSelected ? 'Detailed' : 'Last');
    await feed.return(undefined);
  });

  it('applies the filter to the job after the change, not at delivery', async () => {
    const id = await create('One');
    const feed = await follow({ where: { id: [ref(id)], name: { eq: 'Two' } } });
    for (const name of ['Two', 'Three']) await commands.updateJob(CALLER, { id: ref(id), name });
    expect(await next(feed)).toMatchObject({ kind: 'UPDATED', job: { name: 'Three' } });
    await feed.return(undefined);
  });

  it('applies the filter before the database: unselected events cause no read', async () => {
    const id = await create('Wanted');
    const feed = await follow({ where: { id: [ref(id)] } });
    api.takeStatements();
    for (let n = 0; n < 10; n += 1) await create(`Noise ${n}`);
    await commands.updateJob(CALLER, { id: ref(id), name: 'Now' });
    expect((await next(feed)).job.name).toBe('Now');
    const reads = api.takeStatements().filter((text) => text.includes('FROM "public"."jobs"'));
    expect(reads).toHaveLength(1);
    await feed.return(undefined);
  });

  it('reads a job once for all subscribers with the same query', async () => {
    const id = await create('Popular');
    const feeds = await Promise.all(Array.from({ length: 10 }, () => api.subscribe<Item>(NAMES)));
    api.takeStatements();
    await commands.updateJob(CALLER, { id: ref(id), name: 'More popular' });
    for (const { job } of await Promise.all(feeds.map(next))) expect(job.name).toBe('More popular');
    const reads = api.takeStatements().filter((text) => text.includes('FROM "public"."jobs"'));
    expect(reads.length).toBeLessThan(feeds.length);
    await Promise.all(feeds.map((feed) => feed.return(undefined)));
  });

  it.each([
    [{ where: { id: Array.from({ length: 1_001 }, () => 'x') } }],
    [{ where: { name: { eq: '\0' } } }],
  ])('refuses an invalid filter: %#', async (variables) => {
    await expect(follow(variables)).rejects.toThrow('BAD_USER_INPUT');
  });
});

describe('jobEvents after a cursor', () => {
  it('continue without loss and without repetition, from any event', async () => {
    const feed = await follow();
    const first = await create('Job 0');
    for (let n = 1; n < 6; n += 1) await create(`Job ${n}`);
    const all = await take(feed, 6);
    expect(all[0]?.job.id).toBe(ref(first));
    for (const [index, { cursor }] of all.slice(0, -1).entries()) {
      const rest = await take(await follow({ after: cursor }), all.length - 1 - index);
      expect(rest).toEqual(all.slice(index + 1));
    }
  });

  it('keep the order of commits when transactions overlap', async () => {
    const [early, late] = [await insertJob(api.pool), await insertJob(api.pool)];
    const feed = await follow();
    const [begun, appended, committing] = [createGate(), createGate(), createGate()];
    const told = (jobId: string) => ({ at: new Date(START), kind: 'JOB_UPDATED' as const, jobId, data: {} });
    // Starts first and commits last. It has taken its position when the other one needs one.
    const slow = inTransaction(api.pool, async (tx) => {
      await tx.query('SELECT FROM jobs WHERE id = $1 FOR NO KEY UPDATE', [early]);
      begun.open();
      await appendEvents(tx, [told(early)]);
      appended.open();
      await committing.opened;
    });
    await begun.opened;
    await appended.opened;
    const quick = commands.updateJob(CALLER, { id: ref(late), name: 'Quick' });
    await until(async () => {
      const { rowCount } = await api.pool.query(
        `SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'advisory'`,
      );
      return rowCount === 1;
    });
    committing.open();
    await Promise.all([slow, quick]);
    expect((await take(feed, 2)).map(({ job }) => job.id)).toEqual([ref(early), ref(late)]);
  });

  it('lose nothing while many write at once and the subscriber disconnects repeatedly', async () => {
    const WRITERS = 6;
    const CHANGES = 20;
    const feed = await follow();
    const ids = await Promise.all(Array.from({ length: WRITERS }, (_, n) => create(`Writer ${n}`)));
    const created = await take(feed, WRITERS);
    const writing = Promise.all(
      ids.map(async (id) => {
        for (let n = 0; n < CHANGES; n += 1) {
          valueOf(await commands.updateJob(CALLER, { id: ref(id), priority: n + 1 }));
        }
      }),
    );
    const cursors = [created.at(-1)?.cursor];
    for (let length = 1; cursors.length <= WRITERS * CHANGES; length = 1 + (length % 7)) {
      const missing = WRITERS * CHANGES + 1 - cursors.length;
      const items = await take(await follow({ after: cursors.at(-1) }), Math.min(length, missing));
      cursors.push(...items.map(({ cursor }) => cursor));
    }
    await writing;
    const positions = cursors.slice(1).map((cursor) => decodeCursor(cursor ?? '')?.position);
    const { rows } = await api.pool.query<{ position: bigint }>(
      `SELECT position FROM event_log WHERE kind = 'JOB_UPDATED' ORDER BY position`,
    );
    expect(positions).toEqual(rows.map(({ position }) => position));
  });

  it('start with a gap when the events after it are pruned, and then continue', async () => {
    const feed = await follow();
    for (const name of ['One', 'Two', 'Three']) await create(name);
    const [first] = await take(feed, 1);
    await pruneEvents(api.pool, new Date('2025-03-02T00:00:00Z'), 100);
    const resumed = await follow({ after: first?.cursor });
    const gap = await next(resumed);
    expect(gap).toMatchObject({
      __typename: 'FeedGap',
      reason: 'CURSOR_EXPIRED',
      fromCursor: first?.cursor,
    });
    const name = 'Four';
    await create(name);
    expect((await next(resumed)).job.name).toBe(name);
    await resumed.return(undefined);
    // After the gap’s own end nothing is missing.
    expect((await take(await follow({ after: gap.toCursor }), 1)).map(({ job }) => job.name)).toEqual([name]);
  });

  it('start with a gap when the cursor is invalid, or of another log', async () => {
    const foreign = encodeCursor({ epoch: '0'.repeat(12), position: 1n });
    for (const after of ['nonsense', foreign]) {
      const feed = await follow({ after });
      expect(await next(feed)).toMatchObject({ __typename: 'FeedGap', reason: 'CURSOR_INVALID' });
      await feed.return(undefined);
    }
  });
});
