import { beforeAll, describe, expect, it } from 'vitest';
import { JOB_LIMITS } from '../../src/domain/job/job-limits.ts';
import { createCommands, type Commands } from '../../src/commands/commands.ts';
import type { JobSelection } from '../../src/commands/jobs/job-chunks.ts';
import { encodePublicId } from '../../src/domain/values/public-id.ts';
import { insertDependency } from '../support/dependencies.ts';
import { count, insertExecution, insertJob, readRow, type Row } from '../support/rows.ts';
import { CALLER, useCommandHarness, START, valueOf } from './harness.ts';

const harness = useCommandHarness();
let commands: Commands;

beforeAll(() => {
  commands = createCommands(harness.deps);
});

/** All jobs, selected as a caller does. */
const everyJob: JobSelection = {
  async find(behind, limit) {
    const { rows } = await harness.pool.query<{ id: string }>(
      'SELECT id FROM jobs WHERE $1::uuid IS NULL OR id > $1 ORDER BY id LIMIT $2',
      [behind, limit],
    );
    return rows.map(({ id }) => id);
  },
  selects: () => true,
};
const all = { jobs: everyJob };

const SCHEDULED = { schedule: '0 * * * * *', next_run_at: '2025-03-01T12:01:00.000Z' };
const PAUSED = {
  schedule: '0 * * * * *',
  status: 'PAUSED',
  paused_at: START,
  paused_until: '2025-03-02T00:00:00Z',
  pause_reason: 'Why',
};
const DELETED = { status: 'DELETED', deleted_at: START };

async function stored(id: string): Promise<Row> {
  return readRow(harness.pool, 'jobs', id);
}

async function kinds(): Promise<string[]> {
  return (await harness.events()).map(({ kind }) => kind);
}

async function manyJobs(n: number): Promise<void> {
  await harness.pool.query(
    `INSERT INTO jobs (id, name, api, schedule, created_at, updated_at, next_run_at)
     SELECT gen_random_uuid(), 'Job ' || i, 'http://example.test/', '0 * * * * *', $1, $1, $2 FROM generate_series(1, $3::int) AS i`,
    [START, SCHEDULED.next_run_at, n],
  );
}

describe('pausing jobs', () => {
  it('pauses the active ones, withdraws their planned runs, and leaves the others unchanged', async () => {
    const [active, other] = [
      await insertJob(harness.pool, SCHEDULED),
      await insertJob(harness.pool, SCHEDULED),
    ];
    const rest = [
      await insertJob(harness.pool, PAUSED),
      await insertJob(harness.pool, { status: 'COMPLETED' }),
      await insertJob(harness.pool, DELETED),
    ];
    const before = await Promise.all(rest.map(stored));
    const planned = { trigger: 'SCHEDULE', scheduled_at: new Date(START) };
    await insertExecution(harness.pool, active, 'PENDING', planned);
    await insertExecution(harness.pool, other, 'PENDING', planned);
    await insertExecution(harness.pool, other, 'RUNNING');

    expect(valueOf(await commands.pauseJobs(CALLER, all))).toEqual({ matchedCount: 5, changedCount: 2 });
    for (const id of [active, other]) {
      expect(await stored(id)).toMatchObject({
        status: 'PAUSED',
        paused_by: CALLER.actor,
        next_run_at: null,
        version: 2,
      });
    }
    expect(await Promise.all(rest.map(stored))).toEqual(before);
    expect(await kinds()).toEqual(['EXECUTION_CANCELLED', 'EXECUTION_CANCELLED', 'JOB_PAUSED', 'JOB_PAUSED']);
    expect((await harness.auditEntries()).map(({ action }) => action)).toEqual(['PAUSED', 'PAUSED']);

    expect(valueOf(await commands.pauseJobs(CALLER, all))).toEqual({ matchedCount: 5, changedCount: 0 });
    expect(await harness.auditEntries()).toHaveLength(2);
  });

  it('records the reason and the end, or refuses invalid ones', async () => {
    const id = await insertJob(harness.pool, SCHEDULED);
    const until = new Date(Date.parse(START) + 3_600_000);
    const facts = { reason: 'Maintenance', until };
    for (const wrong of [
      { reason: 'x'.repeat(JOB_LIMITS.pauseReason.max + 1) },
      { until: new Date(START) },
    ]) {
      const refused = await commands.pauseJobs(CALLER, { ...all, ...facts, ...wrong });
      expect(refused).toMatchObject({ errors: [{ kind: 'ValidationError', path: Object.keys(wrong) }] });
    }
    expect(await stored(id)).toMatchObject({ status: 'ACTIVE', version: 1 });
    valueOf(await commands.pauseJobs(CALLER, { ...all, ...facts }));
    expect(await stored(id)).toMatchObject({ pause_reason: 'Maintenance', paused_until: until });
    const [entry] = await harness.auditEntries();
    expect(entry?.after).toMatchObject({ pauseReason: 'Maintenance' });
  });
});

describe('resuming jobs', () => {
  it('resumes the paused ones without the skipped runs, and completes those without further runs', async () => {
    const paused = await insertJob(harness.pool, PAUSED);
    const skipping = await insertJob(harness.pool, PAUSED);
    await insertExecution(harness.pool, skipping, 'SKIPPED', {
      trigger: 'SCHEDULE',
      skip_reason: 'OPERATOR',
      scheduled_at: new Date('2025-03-01T12:01:00Z'),
    });
    const done = await insertJob(harness.pool, { ...PAUSED, end_at: '2025-03-01T12:00:30.000Z' });
    const active = await insertJob(harness.pool, SCHEDULED);

    expect(valueOf(await commands.resumeJobs(CALLER, all))).toEqual({ matchedCount: 4, changedCount: 3 });
    expect(await stored(paused)).toMatchObject({
      status: 'ACTIVE',
      paused_at: null,
      pause_reason: null,
      next_run_at: new Date('2025-03-01T12:01:00Z'),
      version: 2,
    });
    expect(await stored(skipping)).toMatchObject({ next_run_at: new Date('2025-03-01T12:02:00Z') });
    expect(await stored(done)).toMatchObject({ status: 'COMPLETED', next_run_at: null });
    expect(await stored(active)).toMatchObject({ version: 1 });
    expect((await kinds()).toSorted()).toEqual([
      'JOB_COMPLETED',
      'JOB_RESUMED',
      'JOB_RESUMED',
      'JOB_RESUMED',
    ]);
  });
});

describe('triggering jobs', () => {
  it('runs each once in any status, within its concurrency policy', async () => {
    const plain = await insertJob(harness.pool, { priority: 7, max_retries: null });
    const paused = await insertJob(harness.pool, PAUSED);
    await insertJob(harness.pool, DELETED);
    const policies = ['FORBID', 'QUEUE', 'REPLACE'];
    const busy: string[] = [];
    const running: string[] = [];
    for (const concurrency_policy of policies) {
      const id = await insertJob(harness.pool, { concurrency_policy });
      busy.push(id);
      running.push(await insertExecution(harness.pool, id, 'RUNNING'));
    }
    const waiting = await insertExecution(harness.pool, busy[2] ?? '', 'PENDING');

    expect(valueOf(await commands.triggerJobs(CALLER, all))).toEqual({ matchedCount: 6, changedCount: 5 });
    const made = async (id: string) => {
      const { rows } = await harness.pool.query<Row>(
        `SELECT status, trigger, priority, skip_reason FROM job_executions WHERE job_id = $1 AND id <> ALL($2)`,
        [id, [...running, waiting]],
      );
      return rows;
    };
    expect(await made(plain)).toMatchObject([{ status: 'PENDING', trigger: 'MANUAL', priority: 7 }]);
    expect(await made(paused)).toMatchObject([{ status: 'PENDING' }]);
    expect((await Promise.all(busy.map(made))).flat()).toMatchObject([
      { status: 'SKIPPED', skip_reason: 'OVERLAP' },
      { status: 'BLOCKED' },
      { status: 'BLOCKED' },
    ]);
    const { rows } = await harness.pool.query<Row>(
      'SELECT id, status, cancel_requested_at FROM job_executions WHERE job_id = $1 AND id = ANY($2) ORDER BY status',
      [busy[2], [running[2], waiting]],
    );
    expect(rows).toEqual([
      { id: running[2], status: 'RUNNING', cancel_requested_at: new Date(START) },
      { id: waiting, status: 'CANCELLED', cancel_requested_at: new Date(START) },
    ]);
    expect((await harness.auditEntries()).map(({ action }) => action)).toEqual(Array(5).fill('TRIGGERED'));
    expect((await kinds()).toSorted()).toEqual([
      'EXECUTION_CANCELLED',
      'EXECUTION_PLANNED',
      'EXECUTION_PLANNED',
      'EXECUTION_PLANNED',
      'EXECUTION_PLANNED',
      'EXECUTION_SKIPPED',
    ]);
  });
});

describe('deleting jobs', () => {
  it('deletes them with their waiting executions and dependencies, and requests the cancellation of running ones', async () => {
    const [job, upstream] = [await insertJob(harness.pool, SCHEDULED), await insertJob(harness.pool)];
    await insertDependency(harness.pool, job, upstream);
    const waiting = await insertExecution(harness.pool, job, 'RETRYING');
    const running = await insertExecution(harness.pool, upstream, 'RUNNING');
    await insertJob(harness.pool, DELETED);

    expect(valueOf(await commands.deleteJobs(CALLER, all))).toEqual({ matchedCount: 3, changedCount: 2 });
    expect(await count(harness.pool, `jobs WHERE status = 'DELETED' AND next_run_at IS NULL`)).toBe(3);
    expect(await count(harness.pool, 'job_dependencies')).toBe(0);
    expect(await readRow(harness.pool, 'job_executions', waiting)).toMatchObject({ status: 'CANCELLED' });
    expect(await readRow(harness.pool, 'job_executions', running)).toMatchObject({
      status: 'RUNNING',
      cancel_requested_at: new Date(START),
    });
    expect(await kinds()).toEqual(['EXECUTION_CANCELLED', 'JOB_DELETED', 'JOB_DELETED']);
  });
});

describe('a change of many jobs', () => {
  it('takes them in chunks, oldest first, up to its limit', async () => {
    await manyJobs(1_103);
    const pause = async (limit: number | null) =>
      valueOf(await commands.pauseJobs(CALLER, { ...all, limit }));
    expect(await pause(501)).toEqual({ matchedCount: 501, changedCount: 501 });
    const { rows } = await harness.pool.query<{ count: number }>(
      `SELECT count(*)::int AS count FROM jobs
       WHERE (status = 'PAUSED') = (id <= (SELECT id FROM jobs ORDER BY id OFFSET 500 LIMIT 1))`,
    );
    expect(rows).toEqual([{ count: 1_103 }]);
    expect(await pause(null)).toEqual({ matchedCount: 1_000, changedCount: 499 });
    expect(await pause(100_000)).toEqual({ matchedCount: 1_103, changedCount: 103 });
    expect(await harness.auditEntries()).toHaveLength(1_103);
    expect(await harness.events()).toHaveLength(1_103);
  });

  it('commits a small chunk first, so triggered jobs are called while the others are processed', async () => {
    await manyJobs(1_103);
    const made: Promise<number>[] = [];
    const wake = () => void made.push(count(harness.pool, 'job_executions'));
    const { triggerJobs } = createCommands({ ...harness.deps, wake });
    valueOf(await triggerJobs(CALLER, { ...all, limit: 2_000 }));
    const [first] = await Promise.all(made);
    // The second chunk may already be committed when the test counts.
    expect(first).toBeLessThanOrEqual(150);
    expect(made).toHaveLength(5);
  });

  it('skips a job that is no longer selected when it is locked, and continues behind it', async () => {
    await manyJobs(4);
    const jobs: JobSelection = {
      async find(behind, limit) {
        const found = await everyJob.find(behind, limit);
        // Another command changes a job between the read and the lock.
        await harness.pool.query(`UPDATE jobs SET name = 'Not that one' WHERE id = $1`, [found[0]]);
        return found;
      },
      selects: ({ name }) => name !== 'Not that one',
    };
    expect(valueOf(await commands.deleteJobs(CALLER, { jobs, limit: 2 }))).toEqual({
      matchedCount: 1,
      changedCount: 1,
    });
  });

  it('counts each job once when several commands change it at the same time', async () => {
    await manyJobs(50);
    const outcomes = await Promise.all(Array.from({ length: 4 }, () => commands.pauseJobs(CALLER, all)));
    const changed = outcomes.map((outcome) => valueOf(outcome).changedCount);
    expect(changed.reduce((sum, n) => sum + n)).toBe(50);
    expect(await harness.auditEntries()).toHaveLength(50);
  });

  it.each([0, -1, 100_001, 1.5])('refuses a limit of %s', async (limit) => {
    await manyJobs(1);
    for (const command of ['pauseJobs', 'resumeJobs', 'triggerJobs', 'deleteJobs'] as const) {
      expect(await commands[command](CALLER, { ...all, limit })).toMatchObject({
        ok: false,
        errors: [
          { kind: 'ValidationError', path: ['limit'], message: expect.stringContaining('100000') as string },
        ],
      });
    }
    expect(await harness.events()).toEqual([]);
  });

  it('does nothing when nothing is selected', async () => {
    expect(valueOf(await commands.triggerJobs(CALLER, all))).toEqual({ matchedCount: 0, changedCount: 0 });
    const job = encodePublicId('Job', await insertJob(harness.pool));
    valueOf(await commands.deleteJob(CALLER, { id: job }));
    expect(valueOf(await commands.deleteJobs(CALLER, all))).toEqual({ matchedCount: 1, changedCount: 0 });
  });
});
