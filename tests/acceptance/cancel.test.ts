import { expect, it } from 'vitest';
import { apiClient } from '../support/api-client.ts';
import { until } from '../support/until.ts';
import { useWorld } from '../support/world.ts';

const world = useWorld('test');

const READ = 'query ($id: ID!) { execution(id: $id) { status instanceId errorMessage } }';
const CANCEL = `mutation ($id: ID!, $reason: String) {
  cancelExecution(input: { id: $id, reason: $reason }) { execution { status } errors { code } }
}`;
interface Read {
  execution: { status: string; instanceId: string; errorMessage: string | null };
}

/** The time from the cancel request to the end of the call, on either server. */
const PROMISED_MS = 2_000;

it('aborts running calls, also those of the other server', async () => {
  const { target } = world;
  target.script('/hang', 'hang');
  const env = { MAX_CONCURRENCY: '2' };
  const servers = await Promise.all([world.startServer(env), world.startServer(env)]);
  const [one, two] = servers.map(apiClient) as [ReturnType<typeof apiClient>, ReturnType<typeof apiClient>];
  const job = await one.createJob({ api: `${target.url}/hang`, timeoutMs: 600_000 });
  const ids = await one.triggerMany(job, 4);
  await target.received('/hang', 4);

  const holders = await Promise.all(
    ids.map(async (id) => (await one.query<Read>(READ, { id })).execution.instanceId),
  );
  expect(holders.toSorted()).toEqual(
    servers.flatMap(({ instanceId }) => [instanceId, instanceId]).toSorted(),
  );
  const askedMs = performance.now();
  // Each execution is cancelled through the server that does not make its call.
  await Promise.all(
    ids.map((id, index) => {
      const elsewhere = holders[index] === servers[0].instanceId ? two : one;
      return elsewhere.query(CANCEL, { id, reason: 'Never answers' });
    }),
  );
  await target.allSocketsClosed();
  expect(performance.now() - askedMs).toBeLessThan(PROMISED_MS);
  for (const id of ids) {
    const ended = await until(async () => {
      const { execution } = await one.query<Read>(READ, { id });
      return execution.status !== 'RUNNING' && execution;
    });
    expect(ended).toMatchObject({
      status: 'CANCELLED',
      errorMessage: 'Cancelled while the call was under way. Reason: Never answers',
    });
  }
  expect(target.calls).toHaveLength(4);
});
