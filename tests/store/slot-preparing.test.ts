import { describe, expect, it } from 'vitest';
import { plainSlotOf } from '../../src/domain/schedule/plain-slot.ts';
import { readUpcoming } from '../../src/store/executions/planning.ts';
import { makeSlots } from '../../src/store/executions/slot-starting.ts';
import { openTransaction, type OpenTransaction } from '../../src/store/statements/sql.ts';
import { LEASE_MS } from '../support/instance.ts';
import { plus } from '../support/manual-clock.ts';
import { createJobsOfSlot, SLOT } from '../support/many-slots.ts';
import { count } from '../support/rows.ts';
import { useScene } from '../support/scene.ts';

const scene = useScene();
const BOUNDS = { maxStandstillMs: 1_234, maxLockWaitMs: 321 };

/** Prepares the slots of some jobs; answers how many have moved on. */
async function prepareIn({ tx }: OpenTransaction): Promise<number> {
  await createJobsOfSlot(scene.instance(), 3, { api: scene.target.url });
  const { jobs } = await readUpcoming(scene.pool, SLOT, { except: [], limit: 10 });
  const slots = jobs.flatMap((job) => {
    const slot = plainSlotOf(job);
    return slot ? { version: job.version, host: job.host, ...slot } : [];
  });
  const leaseExpiresAt = plus(SLOT, LEASE_MS);
  const starts = slots.map(() => true);
  const { jobIds } = await makeSlots(tx, {
    slots,
    starts,
    instanceId: 'a',
    now: SLOT,
    leaseExpiresAt,
    ...BOUNDS,
  });
  return jobIds.length;
}

describe('a transaction that prepares slots', () => {
  it('is bounded by the statement that holds their jobs, until it ends', async () => {
    const transaction = await openTransaction(scene.pool, null);
    const settings = async () => {
      const text = `SELECT current_setting('idle_in_transaction_session_timeout') AS standstill, current_setting('lock_timeout') AS lock`;
      return (await transaction.tx.query<{ standstill: string; lock: string }>(text)).rows;
    };
    expect(await settings()).toEqual([{ standstill: '1min', lock: '0' }]);
    expect(await prepareIn(transaction)).toBe(3);
    expect(await settings()).toEqual([{ standstill: '1234ms', lock: '321ms' }]);
    await transaction.tx.query('COMMIT');
    expect(await settings()).toEqual([{ standstill: '1min', lock: '0' }]);
    await transaction.rollback();
  });

  it('is ended by the database where it stands still for longer than that, and leaves its jobs as they were', async () => {
    const transaction = await openTransaction(scene.pool, null);
    const ended = new Promise((resolve) => transaction.tx.once('error', resolve));
    expect(await prepareIn(transaction)).toBe(3);
    await ended;
    await transaction.rollback();
    expect(await count(scene.pool, `jobs WHERE next_run_at = '${SLOT.toISOString()}'`)).toBe(3);
    expect(await count(scene.pool, 'job_executions')).toBe(0);
  });
});
