import { expect, it } from 'vitest';
import { apiClient } from '../support/api-client.ts';
import { until } from '../support/until.ts';
import { useWorld } from '../support/world.ts';

const world = useWorld('test');

interface Read {
  execution: { status: string; attempts: Record<string, unknown>[] };
  jobs: { nodes: { name: string }[] };
}

const READ = /* GraphQL */ `
  query ($id: ID!) {
    execution(id: $id) {
      status
      responseBody
      attempts {
        number
        failureReason
        responseStatus
      }
    }
    jobs(first: 10) {
      nodes {
        name
      }
    }
  }
`;

it('A job that calls the API of its own scheduler changes nothing, and its attempt gives the reason', async () => {
  const server = await world.startServer();
  const api = apiClient(server);
  const job = await api.createJob({
    name: 'Calls its own scheduler',
    api: `${server.url}/graphql`,
    method: 'POST',
    body: {
      query: 'mutation ($input: CreateJobInput!) { createJob(input: $input) { job { id } } }',
      variables: { input: { name: 'Made by a job', api: world.target.url } },
    },
    retryPolicy: { maxRetries: 0 },
  });
  const id = await api.trigger(job);
  const { execution, jobs } = await until(async () => {
    const read = await api.query<Read>(READ, { id });
    return ['PENDING', 'RUNNING', 'RETRYING'].includes(read.execution.status) ? null : read;
  });
  expect(execution).toMatchObject({
    status: 'FAILED',
    responseBody: expect.stringMatching(/X-Execution-Id.*EXECUTION_ID_NOT_ALLOWED/) as string,
    attempts: [{ number: 1, failureReason: 'HTTP_STATUS', responseStatus: 403 }],
  });
  expect(jobs.nodes.map(({ name }) => name)).toEqual(['Calls its own scheduler']);
});
