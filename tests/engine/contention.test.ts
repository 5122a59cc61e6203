import { expect, it, onTestFinished } from 'vitest';
import { readEvents, readLog } from '../../src/store/events/event-log.ts';
import { CALLER, createJob, LEASE_MS, reference, trigger, type TestInstance } from '../support/instance.ts';
import { insertDependency } from '../support/dependencies.ts';
import { count } from '../support/rows.ts';
import { useScene } from '../support/scene.ts';
import { createGate } from '../support/target-server.ts';

const scene = useScene();
const ROUNDS = 25;
const JOBS = 4;

it('planning, running, settling, rescuing and commands on the same few jobs never deadlock', async () => {
  await noticeDeadlocksSoon();
  const [one, other] = [scene.instance(), scene.instance()];
  const instances = [one, other];
  scene.target.script('/flaky', (call) => (Number(call.headers['x-attempt']) % 3 === 0 ? 200 : 500));
  const jobs = await Promise.all(Array.from({ length: JOBS }, () => createJob(one, jobInput())));

  const reader = followLog();
  onTestFinished(reader.stop);
  for (let round = 0; round < ROUNDS; round += 1) {
    // In every other round both instances have prefetched the slots, and start them while all other work continues.
    scene.clock.advance(900);
    if (round % 2 === 0) await Promise.all(instances.map(({ planner }) => planner.runOnce()));
    scene.clock.advance(100);
    await Promise.all([
      ...instances.map(({ planner }) => planner.runOnce()),
      ...instances.map((instance) => instance.work()),
      ...instances.map(({ leaseKeeper }) => leaseKeeper.runOnce()),
      ...instances.map((instance) => commandSomething(instance, jobs, round)),
    ]);
    if (round % 8 === 7) await loseInstances(instances);
  }
  await Promise.all(instances.map((instance) => instance.close()));

  expect(await deadlocks()).toBe(0);
  expect(instances.flatMap((instance) => instance.errors)).toEqual([]);
  expect(await count(scene.pool, 'failed_jobs_dlq')).toBeGreaterThan(0);
  await reader.expectComplete();
}, 60_000);

it('jobs that replace their executions, with others that wait for them, never deadlock', async () => {
  await noticeDeadlocksSoon();
  const deadlocksBefore = await deadlocks();
  const instances = [scene.instance(), scene.instance()];
  const [one] = instances;
  if (!one) throw new Error('No instance');
  const gates = ['/a', '/b', '/c', '/d'].map((path) => ({ path, gate: createGate() }));
  const replace = { concurrencyPolicy: 'REPLACE' } as const;
  const jobs = await Promise.all(
    Array.from({ length: 12 }, (_, index) =>
      createJob(one, {
        ...jobInput(),
        ...replace,
        api: `${scene.target.url}${gates[index % gates.length]?.path ?? ''}`,
      }),
    ),
  );
  const joins = await Promise.all(
    jobs.slice(0, 6).map(() => createJob(one, { ...replace, api: `${scene.target.url}/a` })),
  );
  for (const [index, join] of joins.entries()) {
    for (const upstream of [jobs[index], jobs[11 - index]]) {
      await insertDependency(scene.pool, join.id, upstream?.id ?? '', 'ON_COMPLETION');
    }
  }

  for (let round = 0; round < ROUNDS; round += 1) {
    scene.clock.advance(1_000);
    // The running executions are still running when the next slots come, and end while these replace them.
    const ending = gates.map(({ path, gate: earlier }) => {
      const gate = createGate();
      scene.target.script(path, (call) => ({
        status: Number(call.headers['x-attempt']) % 2 === 0 ? 200 : 500,
        after: gate.opened,
      }));
      setImmediate(earlier.open);
      return { path, gate };
    });
    await Promise.all(
      instances.flatMap((instance) => [
        instance.planner.runOnce(),
        instance.leaseKeeper.runOnce(),
        instance.unblocker.runOnce(),
        instance.worker.runOnce(),
        ...(round % 3 === 0 ? joins.map((join) => trigger(instance, join)) : []),
      ]),
    );
    await Promise.all(instances.map(({ unblocker }) => unblocker.runOnce()));
    await Promise.all(instances.map(({ worker }) => worker.runOnce()));
    gates.splice(0, gates.length, ...ending);
  }
  for (const { gate } of gates) gate.open();
  for (const instance of instances) await instance.worker.drained();
  await Promise.all(instances.map((instance) => instance.close()));

  expect(instances.flatMap((instance) => instance.errors)).toEqual([]);
  expect((await deadlocks()) - deadlocksBefore).toBe(0);
  const replaced = `job_executions WHERE status = 'CANCELLED' AND job_id`;
  expect(await count(scene.pool, `${replaced} = ANY($1)`, [jobs.map(({ id }) => id)])).toBeGreaterThan(
    ROUNDS,
  );
  expect(await count(scene.pool, `${replaced} = ANY($1)`, [joins.map(({ id }) => id)])).toBeGreaterThan(0);
}, 60_000);

function jobInput(): Parameters<typeof createJob>[1] {
  const retryPolicy = { maxRetries: 1, backoffStrategy: 'FIXED', initialDelayMs: 1_000 } as const;
  return { api: `${scene.target.url}/flaky`, schedule: '* * * * * *', retryPolicy };
}

/** Changes every job in some way. The order of the jobs differs between the instances. */
async function commandSomething(
  instance: TestInstance,
  jobs: readonly { id: string }[],
  round: number,
): Promise<void> {
  const { commands } = instance;
  const ordered = instance.instanceId.endsWith('0') ? jobs : jobs.toReversed();
  await Promise.all(
    ordered.map(async (job, index) => {
      const id = reference(job);
      await commands.triggerJob(CALLER, id);
      switch ((round + index) % 4) {
        case 0:
          return commands.updateJob(CALLER, { ...id, name: `round ${round} of ${instance.instanceId}` });
        case 1:
          return commands.pauseJob(CALLER, { ...id, until: new Date(scene.clock.now().getTime() + 1_500) });
        case 2:
          return commands.resumeJob(CALLER, id);
        default:
          return deleteAnother(instance);
      }
    }),
  );
}

/** A job with waiting and running executions. Some of these are settled at the same moment. */
async function deleteAnother(instance: TestInstance): Promise<unknown> {
  const job = await createJob(instance, jobInput());
  const id = reference(job);
  await Promise.all(Array.from({ length: 6 }, () => instance.commands.triggerJob(CALLER, id)));
  return Promise.all([instance.work(), instance.commands.deleteJob(CALLER, id)]);
}

/** The lease of a hanging call ends. Both instances rescue it at once. */
async function loseInstances(instances: readonly TestInstance[]): Promise<void> {
  scene.target.script('/flaky', 'hang');
  scene.clock.advance(1_000);
  await Promise.all(instances.map(({ planner }) => planner.runOnce()));
  await Promise.all(instances.map(({ worker }) => worker.runOnce()));
  scene.clock.advance(LEASE_MS + 1);
  await Promise.all(instances.flatMap(({ rescuer, planner }) => [rescuer.runOnce(), planner.runOnce()]));
  await Promise.all(instances.map(({ leaseKeeper }) => leaseKeeper.runOnce()));
  scene.target.script('/flaky', (call) => (Number(call.headers['x-attempt']) % 3 === 0 ? 200 : 500));
  await Promise.all(instances.map((instance) => instance.work()));
}

/** Reads the events live, as the hub does, and compares them with the log at the end. */
function followLog() {
  const seen: bigint[] = [];
  const state = { isReading: true };
  const following = (async () => {
    while (state.isReading) {
      const { events } = await readLog(scene.pool, seen.at(-1) ?? 0n, 100);
      seen.push(...events.map((event) => event.position));
    }
  })();
  const stop = async () => {
    state.isReading = false;
    await following;
  };
  return {
    stop,
    async expectComplete() {
      await stop();
      const rest = await readEvents(scene.pool, seen.at(-1) ?? 0n, 100_000);
      const all = await readEvents(scene.pool, 0n, 100_000);
      expect(all.length).toBeGreaterThan(ROUNDS * JOBS);
      expect([...seen, ...rest.map((event) => event.position)]).toEqual(all.map((event) => event.position));
    },
  };
}

async function noticeDeadlocksSoon(): Promise<void> {
  const name = new URL(scene.connectionString).pathname.slice(1);
  await scene.pool.query(`ALTER DATABASE ${name} SET deadlock_timeout = '50ms'`);
}

/** The deadlocks that PostgreSQL counts. Commands retry after a deadlock and would not report it. */
async function deadlocks(): Promise<number> {
  const { rows } = await scene.pool.query<{ deadlocks: number }>(
    'SELECT deadlocks::int FROM pg_stat_database WHERE datname = current_database()',
  );
  return rows[0]?.deadlocks ?? -1;
}
