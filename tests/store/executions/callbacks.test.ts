import { describe, expect, it } from 'vitest';
import { startWait } from '../../../src/store/executions/callbacks.ts';
import { extendLeases } from '../../../src/store/executions/leases.ts';
import { readSecret } from '../../../src/store/upkeep/secrets.ts';
import { START } from '../../support/manual-clock.ts';
import { everythingOf, insertJob, readExecution } from '../../support/rows.ts';
import { useScene } from '../../support/scene.ts';
import { awaiting, insertRunning } from '../../support/settlements.ts';

const scene = useScene();

async function runningExecution(): Promise<string> {
  const [id = ''] = await insertRunning(scene.pool, await insertJob(scene.pool));
  return id;
}

describe('a wait for a callback', () => {
  it('that is recorded twice, its writer not knowing of the first time, is recorded once', async () => {
    const id = await runningExecution();
    expect(await startWait(scene.pool, awaiting(id))).toBe('waiting');
    const before = await everythingOf(scene.pool, id);
    expect(await startWait(scene.pool, awaiting(id))).toBe('waiting');
    expect(await everythingOf(scene.pool, id)).toEqual(before);
    expect(before['all_execution_logs']).toHaveLength(1);
  });

  it('does not begin under a claim that was lost', async () => {
    const id = await runningExecution();
    const before = await everythingOf(scene.pool, id);
    expect(await startWait(scene.pool, { ...awaiting(id), claimSeq: 2 })).toBe('lost');
    expect(await everythingOf(scene.pool, id)).toEqual(before);
  });

  it('does not begin where the execution is to be cancelled, which stays held', async () => {
    const id = await runningExecution();
    await scene.pool.query('UPDATE job_executions SET cancel_requested_at = $2 WHERE id = $1', [id, START]);
    const before = await everythingOf(scene.pool, id);
    expect(await startWait(scene.pool, awaiting(id))).toBe('cancelRequested');
    expect(await everythingOf(scene.pool, id)).toEqual(before);
  });

  it('keeps its end when its former holder extends leases once more', async () => {
    const id = await runningExecution();
    await startWait(scene.pool, awaiting(id));
    const held = [{ executionId: id, claimSeq: 1 }];
    const leastMs = awaiting(id).deadlineAt.getTime() - START.getTime() + 1;
    const kept = await extendLeases(scene.pool, held, { now: START, leaseMs: 30_000, leastMs });
    expect([...kept.keys()]).toEqual([id]);
    expect(await readExecution(scene.pool, id)).toMatchObject({
      lease_expires_at: awaiting(id).deadlineAt,
      callback_deadline_at: awaiting(id).deadlineAt,
    });
  });

  it('keeps what a target says that PostgreSQL cannot, with a sign in its place', async () => {
    const id = await runningExecution();
    const wait = { ...awaiting(id), responseHeaders: { 'x-odd': 'a\0b' } };
    expect(await startWait(scene.pool, wait)).toBe('waiting');
    expect(await readExecution(scene.pool, id)).toMatchObject({
      awaited_response: { headers: { 'x-odd': 'a\uFFFDb' } },
    });
  });
});

describe('the secret behind callback URLs', () => {
  it('is there once the database is migrated, long and the same for all who ask', async () => {
    const secret = await readSecret(scene.pool, 'callbacks');
    expect(secret).toMatch(/^[0-9a-f-]{72}$/);
    expect(await readSecret(scene.pool, 'callbacks')).toBe(secret);
  });
});
