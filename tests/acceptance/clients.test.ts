import type { TypedDocumentNode } from '@apollo/client';
import { parse } from 'graphql';
import { beforeAll, expect, it, onTestFinished } from 'vitest';
import { asyncQueue } from '../support/async-queue.ts';
import { apolloClient, urqlClient } from '../support/graphql-clients.ts';
import type { ServerProcess } from '../support/server-process.ts';
import { useWorld } from '../support/world.ts';

const world = useWorld('file');
let server: ServerProcess;

beforeAll(async () => {
  server = await world.startServer();
});

type JobData = { job: Record<string, unknown> | null };
type CreateData = { createJob: { job: { id: string } | null } };
type WatchData = { executionEvents: { kind: string; execution: { job: { name: string } } } };

const JOB = document<JobData>(/* GraphQL */ `
  query Job($id: ID!) {
    job(id: $id) {
      __typename
      id
      name
      schedule
      scheduleDescription
    }
  }
`);
const CREATE = document<CreateData>(/* GraphQL */ `
  mutation Create($input: CreateJobInput!) {
    createJob(input: $input) {
      job {
        id
      }
      errors {
        message
      }
    }
  }
`);
const WATCH = document<WatchData>(/* GraphQL */ `
  subscription Watch($jobId: ID!) {
    executionEvents(where: { jobId: [$jobId] }) {
      __typename
      ... on ExecutionEvent {
        cursor
        kind
        execution {
          id
          job {
            name
          }
        }
      }
    }
  }
`);
function document<Data>(text: string) {
  return parse(text) as TypedDocumentNode<Data, Record<string, unknown>>;
}

const inputNamed = (name: string) => ({ name, api: `${world.target.url}/ok`, schedule: '* * * * * *' });
const shownJob = (id: string, name: string) => ({
  __typename: 'Job',
  id,
  name,
  schedule: '* * * * * *',
  scheduleDescription: 'Every second',
});
const succeeded = ({ executionEvents }: WatchData) => executionEvents.kind === 'SUCCEEDED';

it('serves a query, a mutation and a subscription of Apollo Client', async () => {
  const client = apolloClient(server.url);
  onTestFinished(() => {
    client.stop();
  });
  const created = await client.mutate({
    mutation: CREATE,
    variables: { input: inputNamed('by Apollo') },
  });
  const id = created.data?.createJob.job?.id ?? '';

  const { data } = await client.query({ query: JOB, variables: { id } });
  expect(data?.job).toEqual(shownJob(id, 'by Apollo'));

  const events = asyncQueue<WatchData>('event through Apollo Client');
  const watching = client.subscribe({ query: WATCH, variables: { jobId: id } }).subscribe({
    next: (result) => {
      if (result.data) events.push(result.data);
      else events.end(new Error(JSON.stringify(result.error)));
    },
  });
  onTestFinished(() => {
    watching.unsubscribe();
  });
  const event = await events.nextWhere(succeeded);
  expect(event.executionEvents.execution.job.name).toBe('by Apollo');
});

it('serves a query, a mutation and a subscription of urql', async () => {
  const client = urqlClient(server.url);
  const created = await client.mutation(CREATE, { input: inputNamed('by urql') });
  const id = created.data?.createJob.job?.id ?? '';

  const { data } = await client.query(JOB, { id });
  expect(data?.job).toEqual(shownJob(id, 'by urql'));

  const events = asyncQueue<WatchData>('event through urql');
  const watching = client.subscription(WATCH, { jobId: id }).subscribe((result) => {
    if (result.data) events.push(result.data);
    else events.end(new Error(result.error?.message ?? 'The subscription has neither data nor error'));
  });
  onTestFinished(() => {
    watching.unsubscribe();
  });
  const event = await events.nextWhere(succeeded);
  expect(event.executionEvents.execution.job.name).toBe('by urql');
});
