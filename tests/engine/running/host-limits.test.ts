import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { encodePublicId } from '../../../src/domain/values/public-id.ts';
import { createJob, trigger, type TestInstance } from '../../support/instance.ts';
import { count, insertExecution } from '../../support/rows.ts';
import { useScene } from '../../support/scene.ts';
import { until } from '../../support/until.ts';

const scene = useScene();
const WAITING = 100;
const TRIGGERED = 100;
const ANSWER_MS = 4;

interface Call {
  id: string;
  begunMs: number;
  endedMs: number;
}

/** Delays the target's answers, and records the running calls there. */
function watchCalls(path: string): Call[] {
  const calls: Call[] = [];
  scene.target.script(path, ({ headers }) => {
    const call = { id: headers['x-execution-id'] ?? '', begunMs: performance.now(), endedMs: Infinity };
    calls.push(call);
    const after = delay(ANSWER_MS).then(() => {
      call.endedMs = performance.now();
    });
    return { after };
  });
  return calls;
}

function mostAtOnce(calls: readonly Call[]): number {
  const others = ({ begunMs }: Call) =>
    calls.filter((call) => call.begunMs <= begunMs && call.endedMs > begunMs).length;
  return Math.max(...calls.map(others));
}

async function claimedBy({ instanceId }: TestInstance): Promise<ReadonlySet<string>> {
  const { rows } = await scene.pool.query<{ id: string }>(
    'SELECT id FROM job_executions WHERE claimed_by = $1',
    [instanceId],
  );
  return new Set(rows.map(({ id }) => encodePublicId('Execution', id)));
}

describe('the limit of calls at a host', () => {
  it('holds on each of two instances with their own limits, whatever they have claimed', async () => {
    const limits = [3, 1];
    const instances = limits.map((maxConcurrencyPerHost) => scene.instance({ maxConcurrencyPerHost }));
    const calls = watchCalls('/work');
    const [one, other] = instances as [TestInstance, TestInstance];
    const job = await createJob(one, { api: `${scene.target.url}/work`, schedule: null });
    const { host } = new URL(scene.target.url);
    for (let n = 0; n < WAITING; n += 1) await insertExecution(scene.pool, job.id, 'PENDING', { host });
    for (const { worker } of instances) worker.start();
    for (let n = 0; n < TRIGGERED / 2; n += 1) await Promise.all([trigger(one, job), trigger(other, job)]);
    await until(async () => {
      for (const { worker } of instances) worker.wake();
      return (await count(scene.pool, `job_executions WHERE status = 'SUCCESS'`)) === WAITING + TRIGGERED;
    });
    for (const [index, instance] of instances.entries()) {
      const ids = await claimedBy(instance);
      expect(mostAtOnce(calls.filter(({ id }) => ids.has(id)))).toBe(limits[index]);
    }
  });
});
