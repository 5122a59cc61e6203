import { describe, expect, it } from 'vitest';
import { createPool } from '../../../src/database/pool.ts';
import { createSettler, type Settler } from '../../../src/engine/running/settler.ts';
import { settle, settlementRow, type Settlement } from '../../../src/store/executions/settling.ts';
import type { Queryable, Statement } from '../../../src/store/statements/sql.ts';
import {
  attemptsOf,
  count,
  endCountsOf,
  everythingOf,
  insertJob,
  NO_ENDS,
  readExecution,
} from '../../support/rows.ts';
import type { Row } from '../../support/rows.ts';
import { acceptAll, refuseChanges } from '../../support/refused-rows.ts';
import { useScene } from '../../support/scene.ts';
import { awaiting, insertRunning as insertRunningOf, succeeded } from '../../support/settlements.ts';
import { createGate } from '../../support/target-server.ts';
import { until } from '../../support/until.ts';

const scene = useScene();
const NOBODY_WAITS = {
  settleUpstream: () => Promise.reject(new Error('No other job waits for these')),
  onPlanned: () => undefined,
  onAwaiting: () => undefined,
};

describe('outcomes', () => {
  it('that arrive individually are written at once, each in one statement', async () => {
    const { settler, statements } = await settlerOf(scene.pool);
    const ids = await insertRunning(2);
    for (const id of ids) expect(await settler.settle(succeeded(id))).toBe(true);
    expect(statements).toEqual(['settle', 'settle']);
  });

  it('that arrive while one is being written are written together in the next statement', async () => {
    const { settler, statements } = await settlerOf(scene.pool);
    const ids = await insertRunning(200);
    const written = await Promise.all(ids.map((id) => settler.settle(succeeded(id))));
    expect(written).toEqual(Array<boolean>(200).fill(true));
    expect(statements).toEqual(['settle', 'settle']);
    expect(await count(scene.pool, `job_executions WHERE status = 'SUCCESS'`)).toBe(200);
    expect(await count(scene.pool, 'all_execution_attempts')).toBe(200);
    expect(await count(scene.pool, 'all_execution_logs')).toBe(200);
    expect(await count(scene.pool, `event_log WHERE kind = 'EXECUTION_SUCCEEDED'`)).toBe(200);
    expect(await endCountsOf(scene.pool)).toEqual({ ...NO_ENDS, success: 200, durationSumMs: 20_000 });
  });

  it('wait five times as long for others while calls wait for a place, also the first ones', async () => {
    const pauses: number[] = [];
    let isPressed = true;
    const settler = createSettler({
      ...NOBODY_WAITS,
      db: scene.pool,
      onRecorded: () => undefined,
      gatherMs: 60_000,
      isPressed: () => isPressed,
      pause: (ms) => {
        pauses.push(Math.round(ms / 60_000));
        return Promise.resolve();
      },
    });
    const [first = '', second = '', third = ''] = await insertRunning(3);
    await settler.settle(succeeded(first));
    expect(pauses).toEqual([1, 2, 3, 4, 5]);
    await settler.settle(succeeded(second));
    expect(pauses).toEqual([1, 2, 3, 4, 5, 1, 2, 3, 4, 5]);
    isPressed = false;
    await settler.settle(succeeded(third));
    expect(pauses).toEqual([1, 2, 3, 4, 5, 1, 2, 3, 4, 5, 1]);
  });

  it('wait a short time for those of other calls in flight, also the first ones', async () => {
    const pauses: number[] = [];
    const batches: number[] = [];
    const [first = '', second = '', third = '', fourth = ''] = await insertRunning(4);
    let toCome = [second, third];
    const settler = createSettler({
      ...NOBODY_WAITS,
      db: scene.pool,
      onRecorded: ({ length }) => batches.push(length),
      areMoreNear: () => toCome.length > 0,
      pause: (ms) => {
        pauses.push(ms);
        const [next, ...others] = toCome;
        toCome = others;
        if (next) void settler.settle(succeeded(next));
        return Promise.resolve();
      },
    });
    await settler.settle(succeeded(first));
    expect(pauses).toEqual([5, 5]);
    expect(batches).toEqual([3]);
    toCome = Array<string>(9).fill('');
    await settler.settle(succeeded(fourth));
    expect(pauses.slice(2)).toEqual([5, 5, 5, 5]);
    expect(batches).toEqual([3, 1]);
  });

  it('never fill more than 500 to a statement', async () => {
    const { settler, statements } = await settlerOf(scene.pool);
    const ids = await insertRunning(1_002);
    await Promise.all(ids.map((id) => settler.settle(succeeded(id))));
    expect(statements).toHaveLength(1 + 3);
  });

  it('of lost claims return false and write nothing, next to others that are written', async () => {
    const { settler } = await settlerOf(scene.pool);
    const [kept = '', reclaimed = '', finished = ''] = await insertRunning(3);
    await scene.pool.query('UPDATE job_executions SET claim_seq = 2 WHERE id = $1', [reclaimed]);
    await settler.settle(succeeded(finished));
    const before = await historyOf([reclaimed, finished]);
    const answers = await Promise.all([kept, reclaimed, finished].map((id) => settler.settle(failed(id))));
    expect(answers).toEqual([true, false, false]);
    expect(await historyOf([reclaimed, finished])).toEqual(before);
    expect(await count(scene.pool, 'failed_jobs_dlq')).toBe(1);
  });

  it.each([
    ['before', [1, 2]],
    ['behind', [2, 1]],
  ])('of a lost claim are not confused with those of the next one, %s which they arrive', async (_, seqs) => {
    const [id = ''] = await insertRunning(1);
    await scene.pool.query('UPDATE job_executions SET claim_seq = 2, attempt_count = 2 WHERE id = $1', [id]);
    const outcomes = seqs.map((claimSeq) =>
      claimSeq === 1 ? { ...failed(id), claimSeq } : { ...succeeded(id), claimSeq },
    );
    const { written } = await settle(scene.pool, outcomes.map(settlementRow));
    expect([...written]).toEqual([id]);
    expect(await readExecution(scene.pool, id)).toMatchObject({ status: 'SUCCESS' });
    expect(await attemptsOf(scene.pool, id)).toHaveLength(1);
  });

  it('of a lost claim return false when the next one has an outcome in the same batch', async () => {
    const { settler } = await settlerOf(scene.pool);
    const [first = '', id = ''] = await insertRunning(2);
    await scene.pool.query('UPDATE job_executions SET claim_seq = 2, attempt_count = 2 WHERE id = $1', [id]);
    // The first one is a batch by itself. The others collect meanwhile.
    const answers = await Promise.all(
      [succeeded(first), failed(id), { ...succeeded(id), claimSeq: 2 }, failed(id)].map(settler.settle),
    );
    expect(answers).toEqual([true, false, true, false]);
    expect(await readExecution(scene.pool, id)).toMatchObject({ status: 'SUCCESS' });
  });

  it('that the database rejects are recorded without the answer, and delay none of their batch', async () => {
    const { settler } = await settlerOf(scene.pool);
    const ids = await insertRunning(5);
    const poison = ids[2] ?? '';
    const results = await Promise.all(
      ids.map((id) =>
        settler.settle({ ...succeeded(id), responseBody: id === poison ? 'x'.repeat(5_001) : 'ok' }),
      ),
    );
    expect(results).toEqual([true, true, true, true, true]);
    expect(await count(scene.pool, `job_executions WHERE status = 'SUCCESS' AND response_body = 'ok'`)).toBe(
      4,
    );
    expect(await readExecution(scene.pool, poison)).toMatchObject({
      status: 'SUCCESS',
      response_status: 200,
      response_body: null,
    });
  });

  it('that fail for another reason are kept until they are recorded, and delay none of their batch', async () => {
    const pauses: number[] = [];
    const tried = createGate();
    const accepted = createGate();
    const { settler } = await settlerOf(scene.pool, (ms) => {
      pauses.push(ms);
      if (pauses.length < 10) return Promise.resolve();
      tried.open();
      return accepted.opened;
    });
    const ids = await insertRunning(4);
    const [, poison = ''] = ids;
    await refuseChanges(scene.pool, [poison], 'P0001');
    const recorded = ids.map((id) => settler.settle(succeeded(id)));
    await Promise.all(recorded.filter((_, index) => index !== 1));
    await tried.opened;
    expect(pauses).toEqual([500, 1_000, 2_000, 4_000, 8_000, ...Array<number>(5).fill(10_000)]);
    expect(await readExecution(scene.pool, poison)).toMatchObject({ status: 'RUNNING' });
    await acceptAll(scene.pool);
    accepted.open();
    expect(await recorded[1]).toBe(true);
    expect(await readExecution(scene.pool, poison)).toMatchObject({ status: 'SUCCESS' });
  });

  it('whose row is locked delay none that arrive later', async () => {
    const pool = createPool({ connectionString: scene.connectionString, statementTimeoutMs: 300 });
    const { settler } = await settlerOf(pool, () => new Promise((resolve) => setImmediate(resolve)));
    const [held = '', beside = '', after = ''] = await insertRunning(3);
    const blocked = await blockSettling(held);
    const slow = settler.settle(succeeded(held));
    expect(await Promise.all([beside, after].map((id) => settler.settle(succeeded(id))))).toEqual([
      true,
      true,
    ]);
    await blocked.release();
    expect(await slow).toBe(true);
    await pool.end();
  });

  it('are published once they are recorded, and no others', async () => {
    const told: string[][] = [];
    const settler = createSettler({
      ...NOBODY_WAITS,
      db: scene.pool,
      pause: () => Promise.resolve(),
      onRecorded: (settlements) => told.push(settlements.map((settlement) => settlement.executionId)),
    });
    const [first = '', second = '', lost = ''] = await insertRunning(3);
    await scene.pool.query('UPDATE job_executions SET claim_seq = 2 WHERE id = $1', [lost]);
    await Promise.all([first, second, lost].map((id) => settler.settle(succeeded(id))));
    expect(told).toEqual([[first], [second]]);
  });
});

describe('while the database is away', () => {
  it('an outcome is retried until it is recorded', async () => {
    const { pool } = scene.instance();
    const pauses: number[] = [];
    const { settler, statements } = await settlerOf(pool, (ms) => {
      pauses.push(ms);
      return Promise.resolve();
    });
    const [id = ''] = await insertRunning(1);
    const blocked = await blockSettling(id);
    const settled = settler.settle(succeeded(id));
    await until(() => waitingBackends().then((pids) => pids.length > 0));
    await scene.pool.query('SELECT pg_terminate_backend(pid) FROM unnest($1::int[]) AS pid', [
      await waitingBackends(),
    ]);
    await until(() => statements.length > 1);
    await blocked.release();
    expect(await settled).toBe(true);
    expect(pauses.length).toBeGreaterThanOrEqual(1);
    expect(await readExecution(scene.pool, id)).toMatchObject({ status: 'SUCCESS' });
    expect(await count(scene.pool, 'all_execution_attempts WHERE execution_id = $1', [id])).toBe(1);
  });

  it('an outcome is published also when it was recorded and the answer was lost', async () => {
    const told: string[] = [];
    let tries = 0;
    const losing = async (statement: Statement) => {
      const answer = await scene.pool.query(statement);
      tries += 1;
      if (tries === 1) throw new Error('Connection terminated unexpectedly');
      return answer;
    };
    const settler = createSettler({
      ...NOBODY_WAITS,
      db: { query: losing as Queryable['query'] },
      pause: () => Promise.resolve(),
      onRecorded: (settlements) => told.push(...settlements.map(({ executionId }) => executionId)),
    });
    const [id = ''] = await insertRunning(1);
    await settler.settle(succeeded(id));
    expect(await readExecution(scene.pool, id)).toMatchObject({ status: 'SUCCESS' });
    expect(told).toEqual([id]);
  });

  it('a wait for a callback is retried until it is recorded', async () => {
    const { pool } = scene.instance();
    const { settler, statements } = await settlerOf(pool);
    const [id = ''] = await insertRunning(1);
    const blocked = await blockSettling(id);
    const begun = settler.awaitCallback(awaiting(id));
    await until(() => waitingBackends().then((pids) => pids.length > 0));
    await scene.pool.query('SELECT pg_terminate_backend(pid) FROM unnest($1::int[]) AS pid', [
      await waitingBackends(),
    ]);
    await until(() => statements.length > 1);
    await blocked.release();
    expect(await begun).toBe('waiting');
  });

  it('an outcome is rejected instead of retried once the settler has given up', async () => {
    const pool = createPool({ connectionString: scene.connectionString, max: 1 });
    const { settler, statements } = await settlerOf(pool);
    const [id = ''] = await insertRunning(1);
    await pool.end();
    settler.giveUp();
    await expect(settler.settle(succeeded(id))).rejects.toThrow('Cannot use a pool');
    expect(statements).toHaveLength(1);
    await settler.idle();
  });

  it('`idle` waits for retries, and resolves when everything is recorded', async () => {
    const gate = createGate();
    const { settler } = await settlerOf(scene.pool, undefined, gate.opened);
    const ids = await insertRunning(3);
    const settled: string[] = [];
    for (const id of ids) void settler.settle(succeeded(id)).then(() => settled.push(id));
    const idle = settler.idle().then(() => [...settled]);
    gate.open();
    expect(await idle).toHaveLength(3);
    expect(await count(scene.pool, `job_executions WHERE status = 'SUCCESS'`)).toBe(3);
    await settler.idle();
  });
});

type Counted = { settler: Settler; statements: string[] };

/** A settler that counts its statements. They wait until `held` settles. */
async function settlerOf(
  db: Queryable,
  pause: (ms: number) => Promise<void> = () => Promise.resolve(),
  held?: Promise<void>,
): Promise<Counted> {
  const statements: string[] = [];
  const query = async (statement: Statement) => {
    statements.push(statement.name ?? '');
    await held;
    return db.query(statement);
  };
  const counted: Queryable = { query: query as Queryable['query'] };
  return Promise.resolve({
    settler: createSettler({ ...NOBODY_WAITS, db: counted, pause, onRecorded: () => undefined }),
    statements,
  });
}

async function insertRunning(executions: number): Promise<string[]> {
  return insertRunningOf(scene.pool, await insertJob(scene.pool), executions);
}

/** All but the counters, which other executions of the job change. */
async function historyOf(ids: string[]): Promise<Row[]> {
  const histories = await Promise.all(ids.map((id) => everythingOf(scene.pool, id)));
  return histories.map((history) => ({ ...history, rollups: null }));
}

function failed(executionId: string): Settlement {
  return {
    ...succeeded(executionId),
    status: 'FAILED',
    failureReason: 'TIMEOUT',
    errorMessage: 'No answer.',
  };
}

/** Locks the execution's row, so settling it waits. */
async function blockSettling(id: string): Promise<{ release: () => Promise<void> }> {
  const client = await scene.pool.connect();
  await client.query('BEGIN');
  await client.query('SELECT FROM job_executions WHERE id = $1 FOR UPDATE', [id]);
  return {
    release: async () => {
      await client.query('COMMIT');
      client.release();
    },
  };
}

async function waitingBackends(): Promise<number[]> {
  const { rows } = await scene.pool.query<{ pid: number }>(
    `SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`,
  );
  return rows.map((row) => row.pid);
}
