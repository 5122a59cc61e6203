import type { PoolClient } from 'pg';
import { describe, expect, it } from 'vitest';
import type { NewEvent } from '../../../src/store/events/append-events.ts';
import { withdrawExecutions } from '../../../src/store/executions/withdrawing.ts';
import { START, plus } from '../../support/manual-clock.ts';
import { insertExecution, insertJob, readExecution } from '../../support/rows.ts';
import { useScene } from '../../support/scene.ts';
import { until } from '../../support/until.ts';

const scene = useScene();

describe('withdrawing what waits, while somebody else changes it', () => {
  it('leaves alone what was claimed meanwhile', async () => {
    const { id, withdrawn } = await withdrawDuring('PENDING', (tx, execution) =>
      tx.query(
        `UPDATE job_executions SET status = 'RUNNING', claimed_by = 'a', claim_seq = 1, attempt_count = 1,
           started_at = $2, attempt_started_at = $2, lease_expires_at = $3 WHERE id = $1`,
        [execution, START, plus(START, 30_000)],
      ),
    );
    expect(withdrawn).toEqual([]);
    expect(await readExecution(scene.pool, id)).toMatchObject({ status: 'RUNNING' });
  });

  it('takes back what ran when it was asked, and was given back meanwhile', async () => {
    const { id, withdrawn } = await withdrawDuring('RUNNING', (tx, execution) =>
      tx.query(`UPDATE job_executions SET status = 'RETRYING', lease_expires_at = NULL WHERE id = $1`, [
        execution,
      ]),
    );
    expect(withdrawn).toMatchObject([
      { kind: 'EXECUTION_CANCELLED', executionId: id, previousStatus: 'RETRYING', status: 'CANCELLED' },
    ]);
    expect(await readExecution(scene.pool, id)).toMatchObject({ status: 'CANCELLED', finished_at: START });
  });

  it('leaves alone what was finished meanwhile', async () => {
    const { id, withdrawn } = await withdrawDuring('RUNNING', (tx, execution) =>
      tx.query(
        `UPDATE job_executions SET status = 'SUCCESS', lease_expires_at = NULL, finished_at = $2 WHERE id = $1`,
        [execution, plus(START, 1)],
      ),
    );
    expect(withdrawn).toEqual([]);
    expect(await readExecution(scene.pool, id)).toMatchObject({ status: 'SUCCESS' });
  });
});

/** Withdraws while a transaction that has changed the execution is not yet committed. */
async function withdrawDuring(
  status: 'PENDING' | 'RUNNING',
  change: (tx: PoolClient, execution: string) => Promise<unknown>,
): Promise<{ id: string; withdrawn: NewEvent[] }> {
  const job = await insertJob(scene.pool);
  const id = await insertExecution(scene.pool, job, status);
  const tx = await scene.pool.connect();
  await tx.query('BEGIN');
  await change(tx, id);
  const withdrawing = withdrawExecutions(scene.pool, [job], { scope: 'waiting', reason: 'Test.' }, START);
  await until(async () => {
    const { rowCount } = await scene.pool.query(
      `SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`,
    );
    return rowCount;
  });
  await tx.query('COMMIT');
  tx.release();
  return { id, withdrawn: await withdrawing };
}
