import { readFileSync } from 'node:fs';
import { print, type DocumentNode } from 'graphql';
import { afterAll, beforeAll, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { WebSocket } from 'ws';
import { createApolloClient } from '../../client/src/apollo.ts';
import {
  CreateJobDocument,
  ListJobsDocument,
  WatchJobsDocument,
} from '../../client/src/generated/graphql.ts';
import { createUrqlClient } from '../../client/src/urql.ts';
import {
  createPersistedOperations,
  parsePersistedOperations,
} from '../../src/server/http/persisted-operations.ts';
import { clearJobs } from '../commands/harness.ts';
import { type ApiHarness, createApiHarness } from '../graphql/api-harness.ts';
import { startApiServer } from '../server/api-server.ts';
import { asyncQueue } from '../support/async-queue.ts';
import { post } from '../support/graphql-clients.ts';

const LIST = readFileSync(
  new URL('../../client/src/generated/persisted-documents.json', import.meta.url),
  'utf8',
);

let api: ApiHarness;

beforeAll(async () => {
  api = await createApiHarness();
});
afterAll(async () => {
  await api.close();
});
beforeEach(() => clearJobs(api.pool));

type Result = { data?: unknown; error?: Error | undefined };
type Client = {
  query: (document: DocumentNode, variables: object) => Promise<Result>;
  mutate: (document: DocumentNode, variables: object) => Promise<Result>;
  watch: (document: DocumentNode, next: (data: unknown) => void, onBegun: () => void) => () => void;
};

const clients: Record<string, (options: Parameters<typeof createUrqlClient>[0]) => Client> = {
  urql(options) {
    const { client, transport } = createUrqlClient(options);
    onTestFinished(transport.close);
    return {
      query: (document, variables) => client.query(document, variables).toPromise(),
      mutate: (document, variables) => client.mutation(document, variables).toPromise(),
      watch: (document, next, onBegun) => {
        const following = client.subscription(document, {}, { onBegun }).subscribe(({ data }) => {
          if (data) next(data);
        });
        return () => {
          following.unsubscribe();
        };
      },
    };
  },
  Apollo(options) {
    const { client, transport } = createApolloClient(options);
    onTestFinished(transport.close);
    return {
      query: (query, variables) => client.query({ query, variables }),
      mutate: (mutation, variables) => client.mutate({ mutation, variables }),
      watch(query, next, onBegun) {
        const following = client.subscribe({ query, context: { onBegun } }).subscribe(({ data }) => {
          next(data);
        });
        return () => {
          following.unsubscribe();
        };
      },
    };
  },
};

describe.each(Object.entries(clients))(
  'the client for %s against a server that runs only its persisted documents',
  (_name, create) => {
    it('queries, mutates and subscribes by ids', async () => {
      const { url } = await startApiServer(api, {
        persistedOperations: createPersistedOperations('required', parsePersistedOperations(LIST)),
      });
      const sent: string[] = [];
      const recorded: typeof fetch = (input, init) => {
        sent.push(init?.body as string);
        return fetch(input, init);
      };
      const client = create({
        url: `${url}/graphql`,
        webSocket: WebSocket,
        persisted: true,
        fetch: recorded,
      });
      const events = asyncQueue<unknown>('event of a job');
      const begun = asyncQueue<boolean>('beginning of a feed');
      onTestFinished(
        client.watch(
          WatchJobsDocument,
          (data) => {
            events.push(data);
          },
          () => {
            begun.push(true);
          },
        ),
      );
      await begun.next();
      const input = { name: 'Named', api: 'http://a.test/' };
      expect(await client.mutate(CreateJobDocument, { input })).toMatchObject({
        data: { createJob: { job: { name: 'Named' }, errors: [] } },
      });
      expect(await events.next()).toMatchObject({ jobEvents: { __typename: 'JobEvent', kind: 'CREATED' } });
      expect(await client.query(ListJobsDocument, { first: 5 })).toMatchObject({
        data: { jobs: { nodes: [{ __typename: 'Job', name: 'Named' }] } },
      });
      expect(sent).toHaveLength(2);
      for (const body of sent) expect(JSON.parse(body)).not.toHaveProperty('query');
      expect((await post(url, print(ListJobsDocument))).body.errors).toMatchObject([
        { extensions: { code: 'PERSISTED_OPERATION_REQUIRED' } },
      ]);
    });
  },
);
