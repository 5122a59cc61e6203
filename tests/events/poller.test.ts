import { describe, expect, it } from 'vitest';
import { createPoller } from '../../src/events/poller.ts';
import type { NextDue } from '../../src/store/jobs/next-due.ts';
import { createAlert } from '../support/alerts.ts';
import { createJob } from '../support/instance.ts';
import { START, plus } from '../support/manual-clock.ts';
import { insertExecution, insertJob } from '../support/rows.ts';
import { useScene } from '../support/scene.ts';

const scene = useScene();
const INTERVAL_MS = 10_000;

/** Work that a poll finds due before the next one, by name. */
async function woken(): Promise<string[]> {
  const names: string[] = [];
  const poller = createPoller({
    db: scene.pool,
    clock: scene.clock,
    intervalMs: INTERVAL_MS,
    onError: (error) => {
      throw error;
    },
  });
  const parts: Record<keyof NextDue, (nextDue: NextDue) => Date | boolean | null> = {
    runAt: (nextDue) => nextDue.runAt,
    pauseEndsAt: (nextDue) => nextDue.pauseEndsAt,
    availableAt: (nextDue) => nextDue.availableAt,
    // Wakes no loop.
    leaseEndsAt: () => null,
    waitEndsAt: (nextDue) => nextDue.waitEndsAt,
    isAnythingBlocked: (nextDue) => nextDue.isAnythingBlocked,
    deliveryAt: (nextDue) => nextDue.deliveryAt,
    isAnyAlertEnabled: (nextDue) => nextDue.isAnyAlertEnabled,
  };
  for (const [name, dueAt] of Object.entries(parts)) {
    poller.serve({ wake: () => names.push(name) }, dueAt);
  }
  await poller.runOnce();
  return names;
}

describe('a poll', () => {
  it('passes all that it finds to its listeners', async () => {
    const job = await insertJob(scene.pool);
    await insertExecution(scene.pool, job, 'RUNNING', { lease_expires_at: plus(START, 12_345) });
    const seen: (Date | null)[] = [];
    const onError = () => undefined;
    const poller = createPoller({ db: scene.pool, clock: scene.clock, intervalMs: INTERVAL_MS, onError });
    poller.onLook(({ leaseEndsAt }) => seen.push(leaseEndsAt));
    await poller.runOnce();
    expect(seen).toEqual([plus(START, 12_345)]);
  });

  it('wakes no loop when there is no work', async () => {
    await insertJob(scene.pool, { schedule: '0 0 0 1 1 *', next_run_at: plus(START, 2 * INTERVAL_MS) });
    expect(await woken()).toEqual([]);
  });

  it('wakes the planner for a job that is due before the next poll, or was', async () => {
    const job = { schedule: '* * * * * *' };
    await insertJob(scene.pool, { ...job, next_run_at: plus(START, INTERVAL_MS - 1) });
    expect(await woken()).toEqual(['runAt']);
    scene.clock.advance(60_000);
    expect(await woken()).toEqual(['runAt']);
  });

  it('wakes the planner for a pause that ends', async () => {
    const pause = { status: 'PAUSED', paused_at: START, paused_until: plus(START, 1_234) };
    await insertJob(scene.pool, { schedule: '* * * * * *', ...pause });
    expect(await woken()).toEqual(['pauseEndsAt']);
  });

  it.each([
    ['PENDING', ['availableAt']],
    ['RETRYING', ['availableAt']],
    ['BLOCKED', ['isAnythingBlocked']],
    ['RUNNING', []],
    ['SUCCESS', []],
  ] as const)('wakes the right loop for an execution that is %s', async (status, names) => {
    const job = await insertJob(scene.pool);
    await insertExecution(scene.pool, job, status);
    expect(await woken()).toEqual(names);
  });

  it('wakes the callback watch for a wait that ends', async () => {
    const job = await insertJob(scene.pool);
    const id = await insertExecution(scene.pool, job, 'RUNNING');
    await scene.pool.query(
      'UPDATE job_executions SET callback_deadline_at = $2, lease_expires_at = $2 WHERE id = $1',
      [id, plus(START, 1_000)],
    );
    expect(await woken()).toEqual(['waitEndsAt']);
  });

  it('wakes the reader while any alert is enabled', async () => {
    const instance = scene.instance();
    const job = await createJob(instance);
    await createAlert(instance, job, { target: `${scene.target.url}/alerts`, events: ['SUCCEEDED'] });
    expect(await woken()).toEqual(['isAnyAlertEnabled']);
  });
});
