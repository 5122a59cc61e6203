import { Client, fetchExchange, gql } from '@urql/core';
import { EventSource } from 'eventsource';
import { afterAll, beforeAll, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { createCommands, type Commands } from '../../src/commands/commands.ts';
import { encodePublicId } from '../../src/domain/values/public-id.ts';
import { pruneEvents } from '../../src/store/events/event-log.ts';
import { CALLER, clearJobs, START, valueOf } from '../commands/harness.ts';
import { type ApiHarness, createApiHarness } from '../graphql/api-harness.ts';
import { asyncQueue, type AsyncQueue } from '../support/async-queue.ts';
import { startFlakyProxy } from '../support/flaky-proxy.ts';
import { insertExecution, insertJob, insertRow } from '../support/rows.ts';
import { until } from '../support/until.ts';
import { startApiServer } from './api-server.ts';

let api: ApiHarness;
let commands: Commands;

beforeAll(async () => {
  api = await createApiHarness();
  commands = createCommands({ ...api.deps, wake: api.hub.wake });
});
afterAll(async () => {
  await api.close();
});
beforeEach(async () => {
  api.clock.set(START);
  await clearJobs(api.pool);
});

/** None of them selects the cursor: resuming is up to the stream alone. */
const JOBS = `subscription ($where: JobWhere) { jobEvents(where: $where) { __typename ... on JobEvent { job { name } } } }`;
const EXECUTIONS = `subscription { executionEvents { __typename ... on ExecutionEvent { execution { id } } } }`;
const LOGS = `subscription ($id: ID!) { executionLogs(executionId: $id) { ... on ExecutionLogEvent { log { message } } } }`;

type Event = { data: Record<string, { __typename: string } & Record<string, unknown>> };
type Followed = { events: AsyncQueue<Event>; source: EventSource; completed: () => boolean };

/** What a web page would write: an EventSource, closed when the subscription says that it is complete. */
function follow(url: string, query: string, variables: object = {}): Followed {
  const search = new URLSearchParams({ query, variables: JSON.stringify(variables) });
  const source = new EventSource(`${url}/graphql?${search.toString()}`);
  const events = asyncQueue<Event>('event of an EventSource');
  let isComplete = false;
  source.addEventListener('next', ({ data }) => {
    events.push(JSON.parse(data as string) as Event);
  });
  source.addEventListener('complete', () => {
    isComplete = true;
    source.close();
  });
  onTestFinished(() => {
    source.close();
  });
  return { events, source, completed: () => isComplete };
}

const isOpen = ({ source }: Followed) => source.readyState === EventSource.OPEN;
const namesOf = (events: readonly Event[]) =>
  events.map(({ data }) => (data['jobEvents']?.['job'] as { name: string } | undefined)?.name);

async function create(name: string): Promise<string> {
  return valueOf(await commands.createJob(CALLER, { name, api: 'http://a.test/' })).id;
}

describe('an EventSource', () => {
  it('that keeps losing its connection gets each event once and in order, whatever it selects', async () => {
    const { port } = await startApiServer(api);
    const proxy = await startFlakyProxy(port);
    const followed = follow(proxy.url, JOBS);
    await until(() => isOpen(followed));
    const names = ['Job 0'];
    await create('Job 0');
    // Unlike a browser's, this EventSource notes ids of events only.
    await until(() => followed.events.all.length === 1);
    for (let round = 0; round < 3; round += 1) {
      for (let n = 0; n < 20; n += 1) {
        names.push(`Job ${names.length}`);
        await create(names.at(-1) ?? '');
        if (n === 5 + round) proxy.cut();
      }
      await until(() => followed.events.all.length === names.length);
    }
    expect(namesOf(followed.events.all)).toEqual(names);
    expect(proxy.connections()).toBe(4);
  });

  it('resumes the feed of executions', async () => {
    const { port } = await startApiServer(api);
    const proxy = await startFlakyProxy(port);
    const job = { id: encodePublicId('Job', await create('Run')) };
    const followed = follow(proxy.url, EXECUTIONS);
    await until(() => isOpen(followed));
    const ids: string[] = [];
    for (let n = 0; n < 6; n += 1) {
      const { executionId } = valueOf(await commands.triggerJob(CALLER, job));
      ids.push(encodePublicId('Execution', executionId));
      // It resumes behind the last event that it has seen, and must have seen one.
      if (n === 0) await until(() => followed.events.all.length === 1);
      if (n === 2) proxy.cut();
    }
    await until(() => followed.events.all.length === 6);
    expect(followed.events.all.map(({ data }) => data['executionEvents']?.['execution'])).toEqual(
      ids.map((id) => ({ id })),
    );
  });

  it('resumes the log of an execution, and hears when it is complete', async () => {
    const { port } = await startApiServer(api);
    const proxy = await startFlakyProxy(port);
    const executionId = await insertExecution(api.pool, await insertJob(api.pool), 'PENDING');
    const line = async (position: number) => {
      const facts = { at: new Date(START), level: 'INFO', message: `Line ${position}` };
      await insertRow(api.pool, 'job_execution_logs', { execution_id: executionId, position, ...facts });
    };
    await line(1);
    const followed = follow(proxy.url, LOGS, { id: encodePublicId('Execution', executionId) });
    await followed.events.next();
    proxy.refuse();
    proxy.cut();
    for (const position of [2, 3]) await line(position);
    await commands.cancelExecution(CALLER, { id: encodePublicId('Execution', executionId) });
    proxy.mend();
    await until(followed.completed);
    const messages = followed.events.all.map(
      ({ data }) => (data['executionLogs']?.['log'] as { message: string }).message,
    );
    expect(messages).toEqual(['Line 1', 'Line 2', 'Line 3', 'Cancelled before it was started.']);
  });

  it('that was away for longer than events are kept is told of the gap once, and goes on behind it', async () => {
    const { port } = await startApiServer(api);
    const proxy = await startFlakyProxy(port);
    const followed = follow(proxy.url, JOBS);
    await until(() => isOpen(followed));
    await create('Seen');
    await followed.events.next();
    proxy.refuse();
    proxy.cut();
    await create('Lost');
    await pruneEvents(api.pool, new Date('2025-03-02T00:00:00Z'), 100);
    proxy.mend();
    expect(await followed.events.next()).toMatchObject({ data: { jobEvents: { __typename: 'FeedGap' } } });
    proxy.refuse();
    proxy.cut();
    await create('Kept');
    proxy.mend();
    await until(() => followed.events.all.length === 3);
    expect(namesOf(followed.events.all)).toEqual(['Seen', undefined, 'Kept']);
  });
});

describe('urql over an event stream', () => {
  it('follows jobs as over a websocket', async () => {
    const { url } = await startApiServer(api);
    const client = new Client({
      url: `${url}/graphql`,
      preferGetMethod: false,
      fetchSubscriptions: true,
      exchanges: [fetchExchange],
    });
    const events = asyncQueue<Event>('result of urql');
    const following = client.subscription(gql(JOBS), {}).subscribe(({ data, error }) => {
      if (data) events.push({ data: data as Event['data'] });
      else events.end(new Error(error?.message));
    });
    onTestFinished(() => {
      following.unsubscribe();
    });
    // urql does not tell when a subscription stands.
    await until(async () => {
      await create('Again and again');
      return events.all.length >= 3;
    });
    expect(new Set(namesOf(events.all))).toEqual(new Set(['Again and again']));
  });
});
