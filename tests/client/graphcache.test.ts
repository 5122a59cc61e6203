import { cacheExchange } from '@urql/exchange-graphcache';
import { expect, it, onTestFinished } from 'vitest';
import { graphcacheOptions } from '../../client/src/graphcache.ts';
import {
  CreateJobDocument,
  ListExecutionsDocument,
  ListJobsDocument,
  OverviewDocument,
  PauseJobDocument,
  ShowJobDocument,
} from '../../client/src/generated/graphql.ts';
import { createUrqlClient } from '../../client/src/urql.ts';
import { type ApiHarness, createApiHarness } from '../graphql/api-harness.ts';
import { startApiServer } from '../server/api-server.ts';

async function connect(api: ApiHarness) {
  const server = await startApiServer(api);
  const warnings: string[] = [];
  const cache = cacheExchange({
    ...graphcacheOptions,
    logger: (level, message) => {
      if (level !== 'debug') warnings.push(message);
    },
  });
  const { client } = createUrqlClient({ url: `${server.url}/graphql`, exchanges: [cache] });
  return { client, warnings };
}

it('gives urql’s normalised cache the schema: a change shows in each list, without warnings', async () => {
  const api = await createApiHarness();
  onTestFinished(api.close);
  const { client, warnings } = await connect(api);
  const input = { name: 'Cached', api: 'https://example.test/', schedule: '@daily' };
  const { data } = await client.mutation(CreateJobDocument, { input });
  const id = data?.createJob.job?.id ?? '';
  await client.query(ListJobsDocument, { first: 5 });
  await client.query(ShowJobDocument, { id });
  await client.query(ListExecutionsDocument, { first: 5 });
  await client.query(OverviewDocument, {});
  await client.mutation(PauseJobDocument, { input: { id } });
  const list = await client.query(ListJobsDocument, { first: 5 }, { requestPolicy: 'cache-only' });
  expect(list.data?.jobs.nodes).toMatchObject([{ id, status: 'PAUSED' }]);
  expect(warnings).toEqual([]);
});
