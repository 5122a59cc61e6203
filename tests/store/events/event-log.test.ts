import type { Pool } from 'pg';
import { describe, expect, it } from 'vitest';
import { createPool } from '../../../src/database/pool.ts';
import { appendEvents, type NewEvent } from '../../../src/store/events/append-events.ts';
import { pruneEvents, readEventLogState, readEvents } from '../../../src/store/events/event-log.ts';
import { inTransaction, type Queryable } from '../../../src/store/statements/sql.ts';
import { createTestDatabase } from '../../support/database.ts';
import { appendTestEvents, testEvent } from '../../support/events.ts';
import { START, plus } from '../../support/manual-clock.ts';
import { insertExecution, insertJob } from '../../support/rows.ts';
import { useScene } from '../../support/scene.ts';
import { createGate } from '../../support/target-server.ts';
import { until } from '../../support/until.ts';

const scene = useScene();

describe('appended events', () => {
  it('are read back as they were given, in the order given', async () => {
    const job = await insertJob(scene.pool);
    const execution = await insertExecution(scene.pool, job, 'FAILED');
    const full: NewEvent = {
      at: plus(START, 1),
      kind: 'EXECUTION_FAILED',
      jobId: job,
      executionId: execution,
      status: 'FAILED',
      previousStatus: 'RUNNING',
      attempt: 3,
      trigger: 'SCHEDULE',
      createdAt: START,
      scheduledAt: plus(START, -5),
      startedAt: plus(START, -4),
      finishedAt: plus(START, -3),
      durationMs: 1,
      latenessMs: 1,
      failureReason: 'TIMEOUT',
      responseStatus: 504,
      errorMessage: 'No answer\0.',
      instanceId: 'an-instance',
      data: { of: ['any', 'kind'] },
    };
    const events = Array.from({ length: 50 }, (_, n) => testEvent({ errorMessage: `${n}` }));
    await inTransaction(scene.pool, (tx) => appendEvents(tx, [full, ...events]));

    const [first, ...others] = await readEvents(scene.pool, 0n, 100);
    expect(first).toEqual({
      ...full,
      errorMessage: 'No answer\uFFFD.',
      position: expect.any(BigInt) as bigint,
    });
    expect(others.map((event) => event.errorMessage)).toEqual(events.map((event) => event.errorMessage));
    expect(others[0]).toMatchObject({ kind: 'EXECUTION_PLANNED', jobId: null, status: null, data: null });
  });

  it('of a transaction that is rolled back leave no trace and hold up nobody', async () => {
    const work = inTransaction(scene.pool, async (tx) => {
      await appendEvents(tx, [testEvent()]);
      throw new Error('no');
    });
    await expect(work).rejects.toThrow('no');
    await appendTestEvents(scene.pool, 1);
    expect(await readEvents(scene.pool, 0n, 10)).toHaveLength(1);
  });

  it('of two crossed transactions have the order of their commits', async () => {
    const committing = createGate();
    const appended = createGate();
    const first = inTransaction(scene.pool, async (tx) => {
      await appendEvents(tx, [testEvent({ errorMessage: 'first' })]);
      appended.open();
      await committing.opened;
    });
    await appended.opened;
    // The second wants its position while the first has one and is not committed: it waits.
    const second = appendTestEvents(scene.pool, 1, START, { errorMessage: 'second' });
    await until(() => isSomebodyWaitingForTheLog());
    expect(await readEvents(scene.pool, 0n, 10)).toEqual([]);
    committing.open();
    await Promise.all([first, second]);
    expect((await readEvents(scene.pool, 0n, 10)).map((event) => event.errorMessage)).toEqual([
      'first',
      'second',
    ]);
  });

  it('never appear behind a position that a reader has passed, however many write at once', async () => {
    const WRITERS = 8;
    const ROUNDS = 30;
    const pool = createPool({ connectionString: scene.connectionString, max: WRITERS + 1 });
    const writers = { areWriting: true };
    const writing = Promise.all(
      Array.from({ length: WRITERS }, async (_, writer) => {
        for (let round = 0; round < ROUNDS; round += 1) {
          const write = appendTestEvents(pool, 1 + ((writer + round) % 3), START, {
            instanceId: `${writer}`,
          });
          await (round % 7 === writer % 7 ? Promise.all([write, rollBack(pool)]) : write);
        }
      }),
    ).finally(() => (writers.areWriting = false));

    const seen: bigint[] = [];
    const readOn = async () => {
      const events = await readEvents(scene.pool, seen.at(-1) ?? 0n, 50);
      seen.push(...events.map((event) => event.position));
      return events.length;
    };
    while (writers.areWriting) await readOn();
    await writing;
    while ((await readOn()) > 0);

    const all = await readEvents(scene.pool, 0n, 100_000);
    expect(all.length).toBeGreaterThan(WRITERS * ROUNDS);
    expect(seen).toEqual(all.map((event) => event.position));
    await pool.end();
  });
});

describe('the state of the log', () => {
  it('is at its floor while the log is empty, and at the newest event otherwise', async () => {
    expect(await readEventLogState(scene.pool)).toMatchObject({ tip: 0n, prunedThrough: 0n });
    await appendTestEvents(scene.pool, 2);
    const [, newest] = await readEvents(scene.pool, 0n, 2);
    expect(await readEventLogState(scene.pool)).toMatchObject({ tip: newest?.position, prunedThrough: 0n });
  });

  it('has an epoch that every connection reads alike', async () => {
    const { epoch } = await readEventLogState(scene.pool);
    const other = createPool({ connectionString: scene.connectionString, max: 1 });
    expect((await readEventLogState(other)).epoch).toBe(epoch);
    expect(epoch).toMatch(/^[0-9a-z]{1,32}$/);
    await other.end();
  });

  it('has another epoch in a copy of the database', async () => {
    const database = await createTestDatabase();
    const pool = createPool({ connectionString: database.connectionString, max: 1 });
    expect((await readEventLogState(pool)).epoch).not.toBe((await readEventLogState(scene.pool)).epoch);
    await pool.end();
    await database.drop();
  });

  it('has another epoch once the log was restored from a dump', async () => {
    const database = await createTestDatabase();
    const pool = createPool({ connectionString: database.connectionString, max: 1 });
    const { epoch } = await readEventLogState(pool);
    // What pg_restore --clean does: the same rows in a new table.
    await pool.query(`
      CREATE TABLE restored (LIKE event_log INCLUDING ALL);
      ALTER SEQUENCE event_log_position_seq OWNED BY NONE;
      DROP TABLE event_log;
      ALTER TABLE restored RENAME TO event_log`);
    expect((await readEventLogState(pool)).epoch).not.toBe(epoch);
    await pool.end();
    await database.drop();
  });

  it('is known, with an epoch of its own, on a server that does not tell where its WAL stands', async () => {
    const { epoch, tip } = await readEventLogState(scene.pool);
    const there = await withoutWal(readEventLogState, { isInRecovery: false });
    expect(there).toMatchObject({ tip });
    expect(there.epoch).toMatch(/^[0-9a-z]{1,32}$/);
    expect(there.epoch).not.toBe(epoch);
  });

  it('is not known on a standby, which would give out cursors that no primary understands', async () => {
    await expect(withoutWal(readEventLogState, { isInRecovery: true })).rejects.toThrow('not supported');
  });

  it('says so where the database was not migrated', async () => {
    await inTransaction(scene.pool, async (tx) => {
      await tx.query('DELETE FROM event_log_state');
      await expect(readEventLogState(tx)).rejects.toThrow('was not migrated');
      throw new Error('undo');
    }).catch(() => undefined);
  });
});

describe('pruning the log', () => {
  it('takes the oldest first, at most as many as asked, and moves the floor to the last that went', async () => {
    await appendTestEvents(scene.pool, 5);
    const all = await readEvents(scene.pool, 0n, 10);
    expect(await pruneEvents(scene.pool, plus(START, 1), 3)).toBe(3);
    expect(await readEventLogState(scene.pool)).toMatchObject({ prunedThrough: all[2]?.position });
    expect(await readEvents(scene.pool, 0n, 10)).toEqual(all.slice(3));
  });

  it('leaves the floor where it is when there is nothing to take', async () => {
    await appendTestEvents(scene.pool, 2);
    expect(await pruneEvents(scene.pool, START, 10)).toBe(0);
    expect(await readEventLogState(scene.pool)).toMatchObject({ prunedThrough: 0n });
  });

  it('never moves the floor back when several prune at once', async () => {
    await appendTestEvents(scene.pool, 400);
    const all = await readEvents(scene.pool, 0n, 1_000);
    const counts = await Promise.all([1, 2, 3].map(() => pruneEvents(scene.pool, plus(START, 1), 100)));
    const gone = counts.reduce((sum, count) => sum + count, 0);
    expect(gone).toBeGreaterThanOrEqual(100);
    const left = await readEvents(scene.pool, 0n, 1_000);
    expect(left).toHaveLength(400 - gone);
    expect(await readEventLogState(scene.pool)).toMatchObject({ prunedThrough: all[gone - 1]?.position });
  });
});

async function rollBack(pool: Pool): Promise<void> {
  await inTransaction(pool, async (tx) => {
    await appendEvents(tx, [testEvent({ errorMessage: 'never' })]);
    throw new Error('undo');
  }).catch(() => undefined);
}

async function isSomebodyWaitingForTheLog(): Promise<boolean> {
  const { rows } = await scene.pool.query(
    `SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'advisory'`,
  );
  return rows.length > 0;
}

/** Reads on a server whose function is another: one of a schema that is looked into before that of the system. */
async function withoutWal<T>(
  read: (db: Queryable) => Promise<T>,
  { isInRecovery }: { isInRecovery: boolean },
): Promise<T> {
  const client = await scene.pool.connect();
  try {
    await client.query(`BEGIN;
      CREATE SCHEMA elsewhere;
      CREATE FUNCTION elsewhere.pg_current_wal_lsn() RETURNS pg_lsn LANGUAGE plpgsql AS
        $$BEGIN RAISE 'pg_current_wal_lsn() is not supported' USING ERRCODE = 'feature_not_supported'; END$$;
      CREATE FUNCTION elsewhere.pg_is_in_recovery() RETURNS boolean LANGUAGE sql AS 'SELECT ${isInRecovery}';
      SET LOCAL search_path = elsewhere, pg_catalog, public`);
    return await read(client);
  } finally {
    await client.query('ROLLBACK');
    client.release();
  }
}
