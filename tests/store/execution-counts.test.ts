import { beforeAll, describe, expect, it } from 'vitest';
import { encodePublicId } from '../../src/domain/values/public-id.ts';
import { readSystemMetrics } from '../../src/store/metrics/system-metrics.ts';
import { CALLER, createJob, trigger } from '../support/instance.ts';
import { wrongCounts } from '../support/execution-counts.ts';
import { count, insertExecution, insertJob } from '../support/rows.ts';
import { useScene } from '../support/scene.ts';

// That the counts are right after whatever the product does is asserted by the scene, after every test that uses one.

const scene = useScene();
const WAITING = ['PENDING', 'RETRYING', 'BLOCKED'] as const;

describe('the counts of executions', () => {
  it('follow an execution from its plan to its redrive', async () => {
    const instance = scene.instance();
    scene.target.script('/fails', 500);
    const job = await createJob(instance, {
      api: `${scene.target.url}/fails`,
      retryPolicy: { maxRetries: 0 },
    });
    const failed = await trigger(instance, job);
    expect(await counts()).toEqual({ pending: 1, running: 0, retrying: 0, blocked: 0, openDeadLetters: 0 });
    await instance.work();
    expect(await counts()).toEqual({ pending: 0, running: 0, retrying: 0, blocked: 0, openDeadLetters: 1 });
    await instance.commands.retryExecution(CALLER, { id: encodePublicId('Execution', failed) });
    expect(await counts()).toEqual({ pending: 1, running: 0, retrying: 0, blocked: 0, openDeadLetters: 0 });
  });

  // The two that follow move executions to and fro, also where the state machine does not.
  beforeAll(async () => {
    await scene.pool.query('ALTER TABLE job_executions DISABLE TRIGGER job_executions_moves');
  });

  it('stay few rows and exact while many connections change executions at once', async () => {
    const job = await insertJob(scene.pool);
    const ids = await Promise.all(
      Array.from({ length: 24 }, (_, index) =>
        insertExecution(scene.pool, job, WAITING[index % 3] ?? 'PENDING'),
      ),
    );
    const statuses = [...WAITING, ...WAITING].sort();
    for (const [round, status] of [...statuses, ...statuses].entries()) {
      await Promise.all(
        ids.map((id, index) =>
          scene.pool.query('UPDATE job_executions SET status = $2::execution_status WHERE id = $1', [
            id,
            index % 5 === round % 5 ? 'PENDING' : status,
          ]),
        ),
      );
    }
    expect(await wrongCounts(scene.pool)).toEqual([]);
    expect(await count(scene.pool, 'execution_counts')).toBeLessThan(150);
  });

  it('know nothing of a change that was taken back', async () => {
    const job = await insertJob(scene.pool);
    await insertExecution(scene.pool, job, 'PENDING');
    const client = await scene.pool.connect();
    await client.query('BEGIN');
    for (let change = 0; change < 40; change += 1)
      await client.query('UPDATE job_executions SET status = $1', [change % 2 ? 'PENDING' : 'RETRYING']);
    await client.query('ROLLBACK');
    client.release();
    expect(await counts()).toMatchObject({ pending: 1, retrying: 0 });
  });

  it('are gone with a table that is emptied', async () => {
    const job = await insertJob(scene.pool);
    await insertExecution(scene.pool, job, 'PENDING');
    await insertExecution(scene.pool, job, 'FAILED');
    await scene.pool.query('TRUNCATE job_executions CASCADE');
    expect(await count(scene.pool, 'execution_counts')).toBe(0);
  });
});

async function counts(): Promise<unknown> {
  const { load, openDeadLetters } = await readSystemMetrics(scene.pool, scene.clock.now());
  return { ...load, openDeadLetters };
}
