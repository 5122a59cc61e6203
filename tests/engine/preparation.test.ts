import { describe, expect, it } from 'vitest';
import { plainSlotOf } from '../../src/domain/schedule/plain-slot.ts';
import {
  createPreparation,
  type Preparation,
  type PreparationOptions,
} from '../../src/engine/planning/prepared-slots.ts';
import { readUpcoming } from '../../src/store/executions/planning.ts';
import { prefetchedSlot, type PrefetchedSlot } from '../../src/store/executions/slot-starting.ts';
import { LEASE_MS, type TestInstance } from '../support/instance.ts';
import { plus } from '../support/manual-clock.ts';
import { createJobsOfSlot, MANY, SLOT } from '../support/many-slots.ts';
import { executionCounts } from '../support/rows.ts';
import { useScene } from '../support/scene.ts';

const scene = useScene();
const LEAD_MS = 15;
const INSTANCE_ID = 'test-1';

const statuses = () => executionCounts(scene.pool);

async function prefetched(instance: TestInstance, jobs: number): Promise<PrefetchedSlot[]> {
  await createJobsOfSlot(instance, jobs, { api: `${scene.target.url}/work` });
  const upcoming = await readUpcoming(scene.pool, SLOT, { except: [], limit: jobs });
  return upcoming.jobs.flatMap((job) => {
    const slot = plainSlotOf(job);
    return slot ? [prefetchedSlot({ version: job.version, host: job.host, ...slot })] : [];
  });
}

/** One whose connections do something of their own with each text that they send. */
function preparationWith(
  onQuery: (text: string, send: (other?: string) => Promise<unknown>) => Promise<unknown>,
  placesFor: PreparationOptions['placesFor'] = (slots) => slots.map(() => true),
): { preparation: Preparation; kept: number[]; instance: TestInstance } {
  const instance = scene.instance({ instanceId: INSTANCE_ID });
  const kept: number[] = [];
  const preparation = createPreparation({
    pool: {
      query: (statement) => scene.pool.query(statement),
      async connect() {
        const client = await scene.pool.connect();
        const query = client.query.bind(client) as (query: unknown) => Promise<unknown>;
        return new Proxy(client, {
          get(_client, name) {
            if (name === 'query')
              return (sent: string | { text: string }) =>
                onQuery(typeof sent === 'string' ? sent : sent.text, (other) => query(other ?? sent));
            const value: unknown = Reflect.get(client, name);
            return typeof value === 'function' ? (value.bind(client) as unknown) : value;
          },
        });
      },
    },
    clock: scene.clock,
    instanceId: INSTANCE_ID,
    leaseMs: LEASE_MS,
    lostClaims: instance.lostClaims,
    few: 25,
    batchSize: 200,
    placesFor,
    keepPlaces: (hosts) => kept.push(hosts.length),
  });
  return { preparation, kept, instance };
}

/** Prepares so many slots and lets them come; answers how many each part has begun, and how many jobs are dealt with. */
async function runThrough(
  preparation: Preparation,
  jobs: number,
  take: TestInstance['worker']['take'] = () => undefined,
): Promise<{ begun: number[]; dealtWith: number }> {
  preparation.plan(await prefetched(scene.instance(), jobs));
  scene.clock.set(plus(SLOT, -LEAD_MS));
  await preparation.prepare();
  scene.clock.set(SLOT);
  const begun: number[] = [];
  const { jobIds } = await preparation.commit(SLOT, (claimed) => {
    begun.push(claimed.length);
    take(claimed);
  });
  return { begun, dealtWith: jobIds.size };
}

/** One that is refused one of its commits, counted from 1. */
function preparationWithout(refused: number): ReturnType<typeof preparationWith> {
  let commits = 0;
  return preparationWith((text, send) => {
    if (text.endsWith('COMMIT')) commits += 1;
    return text.endsWith('COMMIT') && commits === refused
      ? Promise.reject(new Error('Refused by a test.'))
      : send();
  });
}

describe('a preparation', () => {
  it('has what was committed given back where the answer was lost', async () => {
    const { preparation, kept, instance } = preparationWith(async (text, send) => {
      const answer = await send();
      if (text.endsWith('COMMIT')) throw new Error('Connection terminated unexpectedly');
      return answer;
    });
    expect(await runThrough(preparation, MANY)).toEqual({ begun: [], dealtWith: 0 });
    expect(kept).toEqual([MANY, MANY, 0]);
    expect(await statuses()).toEqual({ RUNNING: MANY });
    scene.clock.advance(1_000);
    await instance.lostClaims.runOnce();
    await instance.settler.idle();
    expect(await statuses()).toEqual({ PENDING: MANY });
  });

  it('has nothing called of which it turns out that it was not committed', async () => {
    const { preparation, kept } = preparationWith((text, send) =>
      text.endsWith('COMMIT') ? Promise.reject(new Error('Connection terminated unexpectedly')) : send(),
    );
    expect(await runThrough(preparation, MANY)).toEqual({ begun: [], dealtWith: 0 });
    expect(await statuses()).toEqual({});
    expect(kept).toEqual([MANY, MANY, 0]);
  });

  it('has nothing called twice, nor given back, that another planned and its own instance claimed meanwhile', async () => {
    const gate = scene.target.gate('/work');
    const { preparation, instance } = preparationWith(async (text, send) => {
      if (!text.endsWith('COMMIT')) return send();
      await send('ROLLBACK');
      await scene.instance({ instanceId: 'other' }).planner.runOnce();
      await instance.worker.runOnce();
      throw new Error('Connection terminated unexpectedly');
    });
    expect(await runThrough(preparation, MANY)).toEqual({ begun: [], dealtWith: 0 });
    scene.clock.advance(1_000);
    await instance.lostClaims.runOnce();
    await instance.settler.idle();
    expect(await statuses()).toEqual({ RUNNING: MANY });
    gate.open();
    await instance.worker.drained();
    expect(scene.target.calls).toHaveLength(MANY);
  });

  it('begins with the others where the answer to the commit of the first fifty is lost', async () => {
    const gate = scene.target.gate('/work');
    let commits = 0;
    const { preparation, instance } = preparationWith(async (text, send) => {
      if (text.endsWith('COMMIT')) commits += 1;
      const isFirst = commits === 1;
      const answer = await send();
      if (text.endsWith('COMMIT') && isFirst) throw new Error('Query read timeout');
      return answer;
    });
    expect(await runThrough(preparation, 60, instance.worker.take)).toEqual({ begun: [10], dealtWith: 10 });
    expect(await statuses()).toEqual({ RUNNING: 60 });
    scene.clock.advance(1_000);
    await instance.lostClaims.runOnce();
    await instance.settler.idle();
    expect(await statuses()).toEqual({ RUNNING: 10, PENDING: 50 });
    gate.open();
    // As many as there are places for, and then the others.
    await instance.work();
    await instance.work();
    expect(scene.target.calls).toHaveLength(60);
  });

  it('begins with the first fifty, also where the others are committed before', async () => {
    let letGo: () => void = () => undefined;
    const othersCommitted = new Promise<void>((resolve) => (letGo = resolve));
    let commits = 0;
    const { preparation } = preparationWith(async (text, send) => {
      if (!text.endsWith('COMMIT')) return send();
      commits += 1;
      if (commits === 1) {
        await othersCommitted;
        return send();
      }
      const answer = await send();
      letGo();
      return answer;
    });
    expect(await runThrough(preparation, 60)).toEqual({ begun: [50, 10], dealtWith: 60 });
  });

  it('begins with the others where the first fifty come to nothing', async () => {
    const { preparation } = preparationWithout(1);
    expect(await runThrough(preparation, 60)).toEqual({ begun: [10], dealtWith: 10 });
  });

  it('begins with the first fifty, whatever becomes of the others', async () => {
    const { preparation, kept } = preparationWithout(2);
    expect(await runThrough(preparation, 60)).toEqual({ begun: [50], dealtWith: 50 });
    expect(await statuses()).toEqual({ RUNNING: 50 });
    expect(kept.at(-1)).toBe(0);
  });

  it('asks again soon where there is no place for any, and not for long', async () => {
    let places = false;
    const { preparation } = preparationWith(
      (_text, send) => send(),
      (slots) => slots.map(() => places),
    );
    preparation.plan(await prefetched(scene.instance(), MANY));
    scene.clock.set(plus(SLOT, -26));
    await preparation.prepare();
    expect(preparation.dueAt()).toEqual(plus(SLOT, -16));
    places = true;
    scene.clock.set(plus(SLOT, -16));
    await preparation.prepare();
    expect(preparation.preparedFor()).toEqual(SLOT);
    await preparation.abandon();
  });

  it('expects nothing of many slots by what a few of them took', async () => {
    let msPerStatement = 60;
    const { preparation } = preparationWith((text, send) => {
      if (text.includes('prepare slots')) scene.clock.advance(msPerStatement);
      return send();
    });
    const slots = await prefetched(scene.instance(), 60);
    preparation.plan(slots.slice(0, MANY));
    scene.clock.set(plus(SLOT, -100));
    await preparation.prepare();
    await preparation.abandon();
    msPerStatement = 0;
    preparation.plan(slots);
    expect(preparation.dueAt()).toEqual(plus(SLOT, -32));
    preparation.plan(slots.slice(0, MANY));
    expect(preparation.dueAt()).toEqual(plus(SLOT, -80));
  });

  it('begins the sooner the longer the last one took, and leaves out what it would not manage', async () => {
    let msPerStatement = 60;
    const { preparation } = preparationWith((text, send) => {
      if (text.includes('prepare slots')) scene.clock.advance(msPerStatement);
      return send();
    });
    const slots = await prefetched(scene.instance(), MANY);
    preparation.plan(slots);
    expect(preparation.dueAt()).toEqual(plus(SLOT, -26));
    scene.clock.set(plus(SLOT, -100));
    await preparation.prepare();
    await preparation.abandon();

    preparation.plan(slots);
    expect(preparation.dueAt()).toEqual(plus(SLOT, -80));
    msPerStatement = 0;
    scene.clock.set(plus(SLOT, -50));
    await preparation.prepare();
    // Time for 25 of them.
    expect([preparation.dueAt(), preparation.preparedFor()]).toEqual([null, null]);
    preparation.plan(slots);
    expect(preparation.dueAt()).toEqual(plus(SLOT, -50));
  });
});
