import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { deleteTag } from '../../src/commands/tags/delete-tag.ts';
import { addJobTags, removeJobTags } from '../../src/commands/tags/tag-job.ts';
import { triggerJob } from '../../src/commands/executions/trigger-job.ts';
import { updateTag } from '../../src/commands/tags/update-tag.ts';
import { encodePublicId } from '../../src/domain/values/public-id.ts';
import { CALLER, clearJobs, START, valueOf } from '../commands/harness.ts';
import { insertExecution, insertJob, insertRow } from '../support/rows.ts';
import { insertJobTags } from '../support/tags.ts';
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

type EventItem = {
  executionEvents: {
    __typename: string;
    cursor: string;
    kind: string;
    status: string;
    execution: { id: string; status: string; job: { name: string } };
    reason?: string;
    toCursor?: string;
  };
};

const EVENTS = /* GraphQL */ `
  subscription ($where: ExecutionWhere, $after: String) {
    executionEvents(where: $where, after: $after) {
      __typename
      ... on ExecutionEvent {
        cursor
        kind
        at
        status
        previousStatus
        attempt
        execution {
          id
          status
          job {
            name
          }
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

/** Triggers a job. Returns the public id of the execution. */
async function trigger(jobId: string): Promise<string> {
  const result = await triggerJob(api.deps, CALLER, { id: encodePublicId('Job', jobId) });
  return encodePublicId('Execution', valueOf(result).executionId);
}

async function next<Data>(items: AsyncGenerator<Data, unknown, unknown>): Promise<Data> {
  const result = await items.next();
  if (result.done === true) throw new Error('The feed ended');
  return result.value;
}

describe('executionEvents', () => {
  it('delivers future events, with the current execution', async () => {
    const jobId = await insertJob(api.pool, { name: 'Followed' });
    await trigger(jobId);
    const feed = await api.subscribe<EventItem>(EVENTS);
    const id = await trigger(jobId);
    expect((await next(feed)).executionEvents).toMatchObject({
      __typename: 'ExecutionEvent',
      kind: 'PLANNED',
      at: START,
      status: 'PENDING',
      previousStatus: null,
      attempt: null,
      execution: { id, status: 'PENDING', job: { name: 'Followed' } },
    });
    await feed.return(undefined);
  });

  it('continues after a cursor, without loss and without repetition', async () => {
    const jobId = await insertJob(api.pool);
    const first = await api.subscribe<EventItem>(EVENTS);
    const ids = [await trigger(jobId), await trigger(jobId), await trigger(jobId)];
    const { cursor } = (await next(first)).executionEvents;
    await first.return(undefined);
    const second = await api.subscribe<EventItem>(EVENTS, { after: cursor });
    const seen = [await next(second), await next(second)].map(
      ({ executionEvents }) => executionEvents.execution.id,
    );
    expect(seen).toEqual(ids.slice(1));
    await second.return(undefined);
  });

  it('delivers only the selected events, with the execution at that moment', async () => {
    const [jobId, otherJobId] = [await insertJob(api.pool), await insertJob(api.pool)];
    const where = {
      jobId: [encodePublicId('Job', jobId)],
      status: ['PENDING'],
      NOT: { trigger: ['SCHEDULE'] },
    };
    const feed = await api.subscribe<EventItem>(EVENTS, { where });
    await trigger(otherJobId);
    const id = await trigger(jobId);
    expect((await next(feed)).executionEvents.execution.id).toBe(id);
    await feed.return(undefined);
  });

  it("shows each event with the execution's status at that time, also on one long subscription", async () => {
    const jobId = await insertJob(api.pool, { name: 'Before' });
    const feed = await api.subscribe<EventItem>(EVENTS);
    await trigger(jobId);
    expect((await next(feed)).executionEvents.execution.job.name).toBe('Before');
    await api.pool.query(`UPDATE jobs SET name = 'After' WHERE id = $1`, [jobId]);
    await trigger(jobId);
    expect((await next(feed)).executionEvents.execution.job.name).toBe('After');
    await feed.return(undefined);
  });

  describe('filtered by tags', () => {
    const input = (jobId: string, ...tags: string[]) => ({ jobId: encodePublicId('Job', jobId), tags });
    const hasAny = (...tags: string[]) => ({ where: { tags: { hasAny: tags } } });
    const idOf = (item: EventItem) => item.executionEvents.execution.id;

    it('delivers each event by the tags that its job had at that time, while they change', async () => {
      const [job, other] = [await insertJob(api.pool), await insertJob(api.pool)];
      await insertJobTags(api.pool, other, ['x']);
      const feed = await api.subscribe<EventItem>(EVENTS, hasAny('X'));
      const first = await trigger(other);
      await trigger(job);
      valueOf(await addJobTags(api.deps, CALLER, input(job, 'x')));
      const second = await trigger(job);
      valueOf(await removeJobTags(api.deps, CALLER, input(other, 'x')));
      await trigger(other);
      const third = await trigger(job);
      // Read only now, after all of it has happened.
      expect([idOf(await next(feed)), idOf(await next(feed)), idOf(await next(feed))]).toEqual([
        first,
        second,
        third,
      ]);
      await feed.return(undefined);
    });

    it('also does so after a cursor, before and after tags were changed, renamed and deleted', async () => {
      const [job, other] = [await insertJob(api.pool), await insertJob(api.pool)];
      await insertJobTags(api.pool, job, ['x', 'y']);
      const { rows } = await api.pool.query<{ id: string }>(`SELECT id FROM job_tags WHERE name = 'x'`);
      const tag = encodePublicId('Tag', rows[0]?.id ?? '');
      const all = await api.subscribe<EventItem>(EVENTS);
      await trigger(other);
      const { cursor } = (await next(all)).executionEvents;
      await all.return(undefined);

      const withX = [await trigger(job)];
      valueOf(await updateTag(api.deps, CALLER, { id: tag, name: 'z' }));
      const withZ = [await trigger(job)];
      valueOf(await addJobTags(api.deps, CALLER, input(other, 'x', 'z')));
      withX.push(await trigger(other));
      withZ.push(withX[1] ?? '');
      valueOf(await deleteTag(api.deps, CALLER, { id: tag }));
      withX.push(await trigger(other));
      await trigger(job);

      for (const [name, expected] of [
        ['x', withX],
        ['z', withZ],
      ] as const) {
        const end = await trigger(other);
        const feed = await api.subscribe<EventItem>(EVENTS, {
          where: { OR: [{ tags: { hasAll: [name] } }, { id: [end] }] },
          after: cursor,
        });
        const seen: string[] = [];
        for (let id = ''; id !== end; seen.push(id)) id = idOf(await next(feed));
        expect(seen).toEqual([...expected, end]);
        await feed.return(undefined);
      }
    });

    it('reads the tags once for any number of subscribers and events', async () => {
      const job = await insertJob(api.pool);
      await insertJobTags(api.pool, job, ['x']);
      api.takeStatements();
      const feeds = await Promise.all(
        Array.from({ length: 5 }, () => api.subscribe<EventItem>(EVENTS, hasAny('x'))),
      );
      await trigger(job);
      await Promise.all(feeds.map((feed) => next(feed)));
      const reads = api.takeStatements().filter((text) => text.includes('job_tag_associations'));
      expect(reads.filter((text) => text.includes('event_log'))).toHaveLength(1);
      await Promise.all(feeds.map((feed) => feed.return(undefined)));
    });
  });

  it('reports an invalid cursor as a gap', async () => {
    const feed = await api.subscribe<EventItem>(EVENTS, { after: 'nonsense' });
    const { executionEvents: gap } = await next(feed);
    expect(gap).toMatchObject({ __typename: 'FeedGap', reason: 'CURSOR_INVALID', fromCursor: 'nonsense' });
    expect(gap.toCursor).not.toBe('');
    await feed.return(undefined);
  });

  it('applies the filter before the database: unselected events cause no read', async () => {
    const [jobId, otherJobId] = [await insertJob(api.pool), await insertJob(api.pool)];
    const where = { jobId: [encodePublicId('Job', jobId)], status: ['PENDING'] };
    const feed = await api.subscribe<EventItem>(EVENTS, { where });
    api.takeStatements();
    for (let n = 0; n < 10; n += 1) await trigger(otherJobId);
    const id = await trigger(jobId);
    expect((await next(feed)).executionEvents.execution.id).toBe(id);
    const reads = api.takeStatements().filter((text) => text.includes('FROM "public"."job_executions"'));
    expect(reads).toHaveLength(1);
    await feed.return(undefined);
  });

  it('reads executions once for all subscribers with the same query', async () => {
    const jobId = await insertJob(api.pool);
    const feeds = await Promise.all(Array.from({ length: 5 }, () => api.subscribe<EventItem>(EVENTS)));
    api.takeStatements();
    await trigger(jobId);
    await Promise.all(feeds.map((feed) => next(feed)));
    const reads = api.takeStatements().filter((text) => text.includes('FROM "public"."job_executions"'));
    expect(reads.length).toBeLessThan(feeds.length);
    await Promise.all(feeds.map((feed) => feed.return(undefined)));
  });
});

describe('executionLogs', () => {
  const LOGS = `subscription ($id: ID!, $after: String) { executionLogs(executionId: $id, after: $after) {
    ... on ExecutionLogEvent { cursor log { level message attempt metadata } } ... on FeedGap { reason }
  } }`;
  type LogItem = { executionLogs: { cursor: string; log: { message: string } } };

  it('sends the existing lines and ends with a finished execution', async () => {
    const executionId = await insertExecution(api.pool, await insertJob(api.pool), 'SUCCESS');
    for (const position of [1, 2]) {
      const line = {
        execution_id: executionId,
        position,
        at: new Date(START),
        level: 'INFO',
        message: `Line ${position}`,
      };
      await insertRow(api.pool, 'job_execution_logs', line);
    }
    const id = encodePublicId('Execution', executionId);
    const items: LogItem[] = [];
    for await (const item of await api.subscribe<LogItem>(LOGS, { id })) items.push(item);
    expect(items.map(({ executionLogs }) => executionLogs.log.message)).toEqual(['Line 1', 'Line 2']);

    const rest: LogItem[] = [];
    const after = items[0]?.executionLogs.cursor;
    for await (const item of await api.subscribe<LogItem>(LOGS, { id, after })) rest.push(item);
    expect(rest).toEqual(items.slice(1));
  });

  it.each(['nonsense', encodePublicId('Execution', '0195509c-9c00-7abc-8def-0123456789ab')])(
    'finds no execution under %s',
    async (id) => {
      await expect(api.subscribe(LOGS, { id })).rejects.toThrow(/executionId.*NOT_FOUND/s);
    },
  );
});
