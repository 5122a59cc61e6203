import { beforeAll, expect, it, onTestFinished } from 'vitest';
import { apiClient, type ApiClient } from '../support/api-client.ts';
import { firstCursor } from '../support/event-follower.ts';
import { wsClient, type Feed, type WsClient } from '../support/graphql-clients.ts';
import { checkHistory } from '../support/history.ts';
import type { ServerProcess } from '../support/server-process.ts';
import { createGate } from '../support/target-server.ts';
import { useWorld } from '../support/world.ts';
import { allEnded } from './endings.ts';

const world = useWorld('file');
let server: ServerProcess;
let api: ApiClient;

beforeAll(async () => {
  server = await world.startServer();
  api = apiClient(server);
});

const EVENTS_OF_JOB = /* GraphQL */ `
  subscription ($jobId: ID!, $after: String) {
    executionEvents(where: { jobId: [$jobId] }, after: $after) {
      ... on ExecutionEvent {
        kind
        status
        previousStatus
        attempt
        execution {
          id
        }
      }
    }
  }
`;
type Event = {
  kind: string;
  status: string;
  previousStatus: string | null;
  attempt: number | null;
  execution: { id: string };
};
type EventFeed = Feed<{ executionEvents: Event }>;

const LOGS = /* GraphQL */ `
  subscription ($id: ID!) {
    executionLogs(executionId: $id) {
      ... on ExecutionLogEvent {
        log {
          level
          message
          attempt
        }
      }
    }
  }
`;
type LogFeed = Feed<{ executionLogs: { log: { level: string; message: string; attempt: number } } }>;

const EXECUTION = /* GraphQL */ `
  query ($id: ID!) {
    execution(id: $id) {
      status
      trigger
      scheduledAt
      attemptCount
      maxAttempts
      failureReason
      errorMessage
      responseStatus
      responseBody
      instanceId
      request {
        method
        url
        headers
        body
      }
      attempts {
        number
        startedAt
        finishedAt
        responseStatus
        failureReason
      }
      logs {
        nodes {
          level
          message
          attempt
        }
      }
      deadLetter {
        failureReason
        execution {
          id
        }
      }
    }
  }
`;
type Attempt = {
  number: number;
  startedAt: string;
  finishedAt: string;
  responseStatus: number;
  failureReason: string | null;
};
type ExecutionData = { execution: Record<string, unknown> & { scheduledAt: string; attempts: Attempt[] } };

function websocket(): WsClient {
  const client = wsClient(server.url);
  onTestFinished(client.close);
  return client;
}

/** The future events of one execution, up to its end. */
async function restOf(feed: EventFeed, id: string): Promise<Event[]> {
  const events: Event[] = [];
  do {
    const { data } = await feed.nextWhere((body) => body.data?.executionEvents.execution.id === id);
    if (data) events.push(data.executionEvents);
  } while (!['SUCCESS', 'FAILED'].includes(events.at(-1)?.status ?? ''));
  return events;
}

const event = (kind: string, previousStatus: string | null, status: string, attempt: number | null) =>
  expect.objectContaining({ kind, previousStatus, status, attempt }) as Event;

it('runs a job from its schedule to the target and sends the events to a live subscriber', async () => {
  const { target } = world;
  target.script('/hook', { status: 200, body: 'done', headers: { 'x-answer': '42' } });
  const job = await api.createJob({
    schedule: '* * * * * *',
    api: `${target.url}/hook`,
    method: 'POST',
    headers: { Authorization: 'Bearer sesame', 'X-Team': 'billing' },
    body: { report: 7 },
  });
  const feed: EventFeed = websocket().subscribe(EVENTS_OF_JOB, { jobId: job.id });
  const planned = await feed.nextWhere((body) => body.data?.executionEvents.kind === 'PLANNED');
  expect(planned.data?.executionEvents).toEqual(event('PLANNED', null, 'PENDING', null));
  const id = planned.data?.executionEvents.execution.id ?? '';
  expect(await restOf(feed, id)).toEqual([
    event('STARTED', 'PENDING', 'RUNNING', 1),
    event('SUCCEEDED', 'RUNNING', 'SUCCESS', 1),
  ]);
  await api.query('mutation ($id: ID!) { pauseJob(input: { id: $id }) { errors { code } } }', job);

  const { execution } = await api.query<ExecutionData>(EXECUTION, { id });
  const call = target.callsTo('/hook').find(({ headers }) => headers['x-execution-id'] === id);
  expect(call).toMatchObject({
    method: 'POST',
    body: '{"report":7}',
    headers: {
      'x-execution-id': id,
      'x-job-id': job.id,
      'x-attempt': '1',
      'x-scheduled-at': execution.scheduledAt,
      'idempotency-key': id,
      'user-agent': expect.stringMatching(/^job-scheduler\//i) as string,
      'content-type': 'application/json',
      authorization: 'Bearer sesame',
      'x-team': 'billing',
    },
  });
  expect(execution.scheduledAt).toMatch(/:\d\d\.000Z$/);
  expect(execution).toMatchObject({
    status: 'SUCCESS',
    trigger: 'SCHEDULE',
    attemptCount: 1,
    maxAttempts: 1,
    failureReason: null,
    responseStatus: 200,
    responseBody: 'done',
    instanceId: server.instanceId,
    request: { method: 'POST', url: `${target.url}/hook`, body: '{"report":7}' },
    attempts: [{ number: 1, responseStatus: 200, failureReason: null }],
    logs: { nodes: [{ level: 'INFO', message: 'The target answered with status 200.', attempt: 1 }] },
    deadLetter: null,
  });
  expect(JSON.stringify(execution['request'])).not.toContain('sesame');
});

it('retries a failed job until it succeeds, with the delays of its policy', async () => {
  const { target } = world;
  target.script('/flaky', [503, 503, 200]);
  const delayMs = 300;
  const job = await api.createJob({
    api: `${target.url}/flaky`,
    retryPolicy: { maxRetries: 3, backoffStrategy: 'EXPONENTIAL', initialDelayMs: delayMs },
  });
  const id = await api.trigger(job);
  await target.received('/flaky', 3);
  await allEnded(world.pool);

  const { execution } = await api.query<ExecutionData>(EXECUTION, { id });
  expect(execution).toMatchObject({
    status: 'SUCCESS',
    trigger: 'MANUAL',
    scheduledAt: null,
    attemptCount: 3,
    maxAttempts: 4,
    attempts: [
      { number: 1, responseStatus: 503, failureReason: 'HTTP_STATUS' },
      { number: 2, responseStatus: 503, failureReason: 'HTTP_STATUS' },
      { number: 3, responseStatus: 200, failureReason: null },
    ],
    deadLetter: null,
  });
  const waits = execution.attempts
    .slice(1)
    .map(
      ({ startedAt }, index) =>
        Date.parse(startedAt) - Date.parse(execution.attempts[index]?.finishedAt ?? ''),
    );
  expect(waits[0]).toBeGreaterThanOrEqual(delayMs);
  expect(waits[1]).toBeGreaterThanOrEqual(2 * delayMs);
  expect(target.callsTo('/flaky').map(({ headers }) => headers['x-attempt'])).toEqual(['1', '2', '3']);
});

it('puts a job that fails for good into the dead letter queue, and publishes an event', async () => {
  const { target } = world;
  target.script('/down', 500);
  const retryPolicy = { maxRetries: 2, backoffStrategy: 'FIXED', initialDelayMs: 20 };
  const job = await api.createJob({ api: `${target.url}/down`, retryPolicy });
  const after = await firstCursor(world.pool);
  const feed: EventFeed = websocket().subscribe(EVENTS_OF_JOB, { jobId: job.id, after });
  const id = await api.trigger(job);

  expect(await restOf(feed, id)).toEqual([
    event('PLANNED', null, 'PENDING', null),
    event('STARTED', 'PENDING', 'RUNNING', 1),
    event('RETRY_SCHEDULED', 'RUNNING', 'RETRYING', 1),
    event('STARTED', 'RETRYING', 'RUNNING', 2),
    event('RETRY_SCHEDULED', 'RUNNING', 'RETRYING', 2),
    event('STARTED', 'RETRYING', 'RUNNING', 3),
    event('FAILED', 'RUNNING', 'FAILED', 3),
  ]);
  const { execution } = await api.query<ExecutionData>(EXECUTION, { id });
  expect(execution).toMatchObject({
    status: 'FAILED',
    attemptCount: 3,
    maxAttempts: 3,
    failureReason: 'HTTP_STATUS',
    responseStatus: 500,
    deadLetter: { failureReason: 'HTTP_STATUS', execution: { id } },
  });
  expect(target.callsTo('/down')).toHaveLength(3);
});

it('sends the existing log lines of an execution, then the live ones, and then ends', async () => {
  const { target } = world;
  const gate = createGate();
  target.script('/logged', [503, { after: gate.opened }]);
  const retryPolicy = { maxRetries: 1, backoffStrategy: 'FIXED', initialDelayMs: 20 };
  const job = await api.createJob({ api: `${target.url}/logged`, retryPolicy });
  const id = await api.trigger(job);
  await target.received('/logged', 2);

  const logs: LogFeed = websocket().subscribe(LOGS, { id });
  const existing = await logs.next();
  expect(existing.data?.executionLogs.log).toMatchObject({ level: 'WARN', attempt: 1 });
  expect(existing.data?.executionLogs.log.message).toMatch(/503.*Retrying in 20 ms\.$/);
  gate.open();
  const live = await logs.next();
  expect(live.data?.executionLogs.log).toEqual({
    level: 'INFO',
    message: 'The target answered with status 200.',
    attempt: 2,
  });
  await expect(logs.next()).rejects.toThrow('The subscription is complete');
});

it('leaves a consistent history', async () => {
  await allEnded(world.pool);
  const { executions } = await checkHistory(world.pool, world.target.calls);
  expect(executions).toBeGreaterThanOrEqual(4);
});
