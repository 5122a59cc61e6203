import { expect, it, onTestFailed, onTestFinished } from 'vitest';
import { startEmbeddedPostgres, type EmbeddedPostgres } from '../../src/database/embedded-postgres.ts';
import { apiClient } from '../support/api-client.ts';
import { executionEventPositions, firstCursor, followEvents } from '../support/event-follower.ts';
import { post, sseClient } from '../support/graphql-clients.ts';
import { checkHistory } from '../support/history.ts';
import { startServerProcess, type ServerProcess } from '../support/server-process.ts';
import { startTarget } from '../support/target-server.ts';
import { makeTempFolder } from '../support/temp-folder.ts';
import { until } from '../support/until.ts';
import { observingPool } from '../support/world.ts';
import { inMs, schedulesOver } from './endings.ts';

const LIMIT = { timeoutMs: 60_000 };
/** Shorter than the outage: the outcomes of these calls must be recorded later, and no call may repeat. */
const LEASE_MS = 8_000;

/** A database that can stop for a while. It comes back on the same port. */
async function startDatabase() {
  const folder = await makeTempFolder('outage');
  onTestFinished(folder.remove);
  const start = (port?: number): Promise<EmbeddedPostgres> =>
    startEmbeddedPostgres({ dataDir: folder.path, settings: { fsync: 'off' }, ...(port && { port }) });
  let running = await start();
  onTestFinished(() => running.stop());
  const { connectionString } = running;
  const port = Number(new URL(connectionString).port);
  return {
    connectionString,
    stop: () => running.stop(),
    start: async () => {
      running = await start(port);
    },
  };
}

async function startServer(env: Record<string, string>) {
  const server = await startServerProcess(env);
  onTestFinished(async () => {
    await server.kill();
  });
  onTestFailed(() => void process.stderr.write(`${server.output()}\n`));
  return server;
}

async function readiness(url: string): Promise<{ status: number; reasons: string[] }> {
  const response = await fetch(`${url}/health/ready`);
  const { reasons } = (await response.json()) as { reasons: string[] };
  return { status: response.status, reasons };
}

/** Expects an answer without the cause of the failure, under a request id that the log also has. */
async function expectUnavailable(server: ServerProcess): Promise<void> {
  const createJob = `mutation { createJob(input: { name: "New", api: "http://a.test/" }) { job { id } } }`;
  const answers = [
    (await post(server.url, '{ jobs { nodes { id } } }')).body,
    (await post(server.url, createJob)).body,
    await (await sseClient(server.url, 'subscription { jobEvents { __typename } }')).next(),
  ];
  for (const { errors } of answers) {
    expect(errors).toMatchObject([
      {
        message: 'The scheduler cannot reach its database at the moment; try again.',
        extensions: { code: 'UNAVAILABLE' },
      },
    ]);
    const errorId = errors?.[0]?.extensions?.['errorId'];
    const lines = () =>
      server
        .logged('Request refused while the database is away')
        .filter((line) => line['errorId'] === errorId);
    // The answer can arrive before the log line.
    await until(() => lines().length > 0);
    expect(lines()).toHaveLength(1);
  }
  expect(JSON.stringify(answers)).not.toMatch(/127\.0\.0\.1|ECONN|prisma/i);
}

it(
  'survives a database outage that is longer than a lease, and loses and repeats nothing',
  { timeout: 180_000 },
  async () => {
    const target = await startTarget();
    onTestFinished(target.close);
    const database = await startDatabase();
    const env = {
      DATABASE_URL: database.connectionString,
      LEASE_MS: `${LEASE_MS}`,
      DATABASE_CONNECT_TIMEOUT_MS: '3000',
    };
    const server = await startServer(env);
    const other = await startServer(env);
    const pool = observingPool(database.connectionString);
    onTestFinished(() => pool.end());
    const api = apiClient(server);
    const follower = followEvents({ url: () => server.url, after: await firstCursor(pool) });

    const gate = target.gate('/slow');
    const slow = await api.createJob({ api: `${target.url}/slow` });
    await api.triggerMany(slow, 5);
    await target.received('/slow', 5);
    const everySecond = { schedule: '* * * * * *', endAt: inMs(10_000) };
    for (const path of ['/a', '/b', '/c']) await api.createJob({ api: target.url + path, ...everySecond });
    await Promise.all(['/a', '/b', '/c'].map((path) => target.received(path)));

    await database.stop();
    const goneMs = performance.now();
    await until(async () => (await readiness(server.url)).status === 503, LIMIT);
    expect((await readiness(server.url)).reasons).toContain('database: The database does not answer.');
    expect((await fetch(`${server.url}/health/live`)).status).toBe(200);
    await expectUnavailable(server);
    // The server keeps outcomes during the outage until it can record them.
    gate.open();
    await until(
      () =>
        [server, other].some(
          ({ logged }) => logged('Outcomes cannot be recorded at the moment; trying again').length > 0,
        ),
      LIMIT,
    );
    // The planner has due jobs. The poller finds work for all other loops.
    const failed = (message: string) => server.logged(message).map(({ part }) => part);
    await until(() => failed('A step failed and is tried again').includes('planner'), LIMIT);
    await until(() => failed('The database could not be reached').includes('poller'), LIMIT);

    await until(() => performance.now() - goneMs > LEASE_MS + 1_000, LIMIT);
    // Read before the start, because the first calls can run before the start returns.
    const backAt = new Date();
    await database.start();
    await until(async () => (await readiness(server.url)).status === 200, LIMIT);
    await until(() => target.calls.some(({ at }) => at > backAt), LIMIT);

    await schedulesOver(pool);
    const { slots } = await checkHistory(pool, target.calls);
    expect(slots).toBeGreaterThanOrEqual(6);
    expect(target.callsTo('/slow')).toHaveLength(5);
    const logged = await executionEventPositions(pool);
    await until(() => follower.events.length >= logged.length, LIMIT);
    expect(follower.positions()).toEqual(logged);
    // On one connection, which received no notification of the outage.
    expect({ troubles: follower.troubles, connections: follower.connections() }).toEqual({
      troubles: [],
      connections: 1,
    });
    expect(await server.stop()).toEqual({ code: 0, signal: null });
    expect(await other.stop()).toEqual({ code: 0, signal: null });
  },
);
