import { randomUUID } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import type { PoolClient, QueryResultRow } from 'pg';
import {
  BEGINNINGS,
  EXECUTION_STATUSES,
  isFinished,
  TRANSITIONS,
  type ExecutionStatus,
  type Transition,
} from '../../src/domain/execution/execution.ts';
import { appendEvents } from '../../src/store/events/append-events.ts';
import { cancelWaiting } from '../../src/store/executions/cancelling.ts';
import { settle, settlementRow } from '../../src/store/executions/settling.ts';
import { unblock } from '../../src/store/executions/unblocking.ts';
import { withdrawExecutions } from '../../src/store/executions/withdrawing.ts';
import { inTransaction } from '../../src/store/statements/sql.ts';
import { claimFor } from '../support/claims.ts';
import { plus, START } from '../support/manual-clock.ts';
import { insertExecution, insertJob, readExecution } from '../support/rows.ts';
import { useScene } from '../support/scene.ts';
import { succeeded } from '../support/settlements.ts';

const scene = useScene();

/** As `PENDING to RUNNING`. */
const ALLOWED = Object.values(TRANSITIONS)
  .flatMap(({ from, to }) => from.map((status) => `${status} to ${to}`))
  .sort();

async function textOf(sql: string, values: unknown[] = []): Promise<string> {
  const { rows } = await scene.pool.query<{ text: string } & QueryResultRow>(sql, values);
  return rows.map(({ text }) => text).join('\n');
}

async function rolledBack<T>(work: (tx: PoolClient) => Promise<T>): Promise<T> {
  const tx = await scene.pool.connect();
  try {
    await tx.query('BEGIN');
    return await work(tx);
  } finally {
    await tx.query('ROLLBACK');
    tx.release();
  }
}

async function isPossible(
  tx: PoolClient,
  job: string,
  from: ExecutionStatus,
  to: ExecutionStatus,
): Promise<boolean> {
  await tx.query('SAVEPOINT before');
  const id = randomUUID();
  await tx.query(
    `INSERT INTO job_executions (id, job_id, status, trigger, created_at, available_at)
     VALUES ($1, $2, $3, 'MANUAL', $4, $4)`,
    [id, job, from, START],
  );
  try {
    await tx.query('UPDATE job_executions SET status = $2 WHERE id = $1', [id, to]);
    return true;
  } catch (error) {
    expect(error).toMatchObject({ constraint: 'job_executions_moves' });
    return false;
  } finally {
    await tx.query('ROLLBACK TO before');
  }
}

function statusesIn(definition: string): string[] {
  return [...definition.matchAll(/'([A-Z]+)'::execution_status/g)].map(([, status]) => String(status));
}

describe('the database', () => {
  it('refuses each move that is no transition, and no other', async () => {
    const job = await insertJob(scene.pool);
    const moves = await rolledBack(async (tx) => {
      // What else a row must hold in each status is tested apart.
      const { rows: checks } = await tx.query<{ name: string }>(
        `SELECT conname AS name FROM pg_constraint WHERE conrelid = 'job_executions'::regclass AND contype = 'c'`,
      );
      const drops = checks.map(({ name }) => `DROP CONSTRAINT ${name}`);
      const disabled = ['count_added', 'count_changed'].map(
        (name) => `DISABLE TRIGGER job_executions_${name}`,
      );
      await tx.query(`ALTER TABLE job_executions ${[...drops, ...disabled].join(', ')}`);
      const made: string[] = [];
      for (const from of EXECUTION_STATUSES)
        for (const to of EXECUTION_STATUSES)
          if (from !== to && (await isPossible(tx, job, from, to))) made.push(`${from} to ${to}`);
      return made;
    });
    expect(moves.sort()).toEqual(ALLOWED);
  });

  it('has the statuses and the event kinds of the domain', async () => {
    const labels =
      'SELECT enumlabel AS text FROM pg_enum WHERE enumtypid = $1::regtype ORDER BY enumsortorder';
    expect((await textOf(labels, ['execution_status'])).split('\n')).toEqual([...EXECUTION_STATUSES]);
    const kinds = (await textOf(labels, ['event_kind']))
      .split('\n')
      .filter((kind) => kind.startsWith('EXEC'));
    const moves = [...Object.values(BEGINNINGS), ...Object.values(TRANSITIONS)].map(({ event }) => event);
    // One event tells of an execution that stays as it is.
    expect(kinds.sort()).toEqual([...moves, 'EXECUTION_CALLBACK_AWAITED'].sort());
  });

  it('knows as finished what no transition leaves', async () => {
    const check = await textOf(
      `SELECT pg_get_constraintdef(oid) AS text FROM pg_constraint
       WHERE conname = 'job_executions_finished_at_exactly_when_finished'`,
    );
    expect(statusesIn(check).sort()).toEqual(EXECUTION_STATUSES.filter(isFinished).sort());
  });

  it.each([
    ['job_executions_claim', TRANSITIONS.claim.from],
    ['job_executions_blocked', TRANSITIONS.unblock.from],
  ])('finds by the index %s what may make its transition', async (index, from) => {
    const definition = await textOf('SELECT pg_get_indexdef($1::regclass) AS text', [index]);
    expect(statusesIn(definition)).toEqual([...from]);
  });
});

/** What happened to executions that stood in each status: the moves, each with the event that tells of it. */
async function movesBy(
  statement: (id: string, jobId: string, claimSeq: number) => Promise<unknown>,
): Promise<string[]> {
  const moves: string[] = [];
  for (const from of EXECUTION_STATUSES) {
    const job = await insertJob(scene.pool);
    const id = await insertExecution(scene.pool, job, from);
    await statement(id, job, Number((await readExecution(scene.pool, id))['claim_seq']));
    const { status: to } = await readExecution(scene.pool, id);
    const told = await textOf(
      `SELECT concat_ws(' ', previous_status, 'to', status, 'as', kind) AS text FROM event_log WHERE execution_id = $1`,
      [id],
    );
    if (to !== from) moves.push(told);
    else expect(told).toBe('');
  }
  return moves.sort();
}

function movesOf(transition: Transition, without: ExecutionStatus[] = []): string[] {
  const { from, to, event } = TRANSITIONS[transition];
  const left = (from as readonly ExecutionStatus[]).filter((status) => !without.includes(status));
  return left.map((status) => `${status} to ${to} as ${event}`).sort();
}

describe('the statement', () => {
  it('that claims makes its transition, and no other', async () => {
    expect(await movesBy(() => claimFor(scene.pool, 'an-instance', START))).toEqual(movesOf('claim'));
  });

  it('that unblocks makes its transition, and no other', async () => {
    const moves = await movesBy((_, jobId) =>
      inTransaction(scene.pool, (tx) => unblock(tx, [{ jobId, places: 1 }], START)),
    );
    expect(moves).toEqual(movesOf('unblock'));
  });

  it.each([
    ['succeed', { status: 'SUCCESS' }],
    ['giveUp', { status: 'FAILED', failureReason: 'TIMEOUT', errorMessage: 'Late.' }],
    ['cancel', { status: 'CANCELLED' }],
    ['retryLater', { status: 'RETRYING', availableAt: plus(START, 1_000) }],
    ['interrupt', { status: 'PENDING', availableAt: plus(START, 1_000) }],
  ] as const)(
    'that settles makes the transition %s out of RUNNING, and no other',
    async (transition, end) => {
      const moves = await movesBy((id, _, claimSeq) =>
        settle(scene.pool, [settlementRow({ ...succeeded(id), ...end, claimSeq })]),
      );
      expect(moves).toEqual(movesOf(transition, ['PENDING', 'BLOCKED', 'RETRYING']));
    },
  );

  const cancellation = { now: START, reason: null, message: 'Cancelled.' };
  it('that cancels makes its transition out of what waits, and no other', async () => {
    const moves = await movesBy((id) =>
      inTransaction(scene.pool, async (tx) =>
        appendEvents(tx, [await cancelWaiting(tx, id, cancellation)]),
      ).catch(() => null),
    );
    expect(moves).toEqual(movesOf('cancel', ['RUNNING']));
  });

  it('that withdraws makes the same', async () => {
    const moves = await movesBy((_, jobId) =>
      inTransaction(scene.pool, async (tx) =>
        appendEvents(
          tx,
          await withdrawExecutions(tx, [jobId], { scope: 'waiting', reason: 'Paused.' }, START),
        ),
      ),
    );
    expect(moves).toEqual(movesOf('cancel', ['RUNNING']));
  });
});
