import pg from 'pg';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { resumeEndedPauses } from '../../src/commands/resume-ended-pauses.ts';
import { inTransaction } from '../../src/store/sql.ts';
import { insertJobsOfSlot } from '../support/many-slots.ts';
import { plus, START } from '../support/manual-clock.ts';
import { count, eventKindsOf, executionsOf, insertJob, readRow, type Row } from '../support/rows.ts';
import { useScene } from '../support/scene.ts';

const scene = useScene();

const SECOND_MS = 1_000;
const MINUTE_MS = 60_000;
const at = (minute: number) => plus(START, minute * MINUTE_MS);
/** When the pauses of these tests end. */
const UNTIL = at(10);

afterEach(() => {
  vi.restoreAllMocks();
});

const stored = (id: string): Promise<Row> => readRow(scene.pool, 'jobs', id);

describe('many pauses that end together', () => {
  const pause = { status: 'PAUSED', paused_at: START, paused_until: UNTIL, next_run_at: null };

  it('take few statements, with an audit entry and an event for each job', async () => {
    const instance = scene.instance();
    await insertJobsOfSlot(scene.pool, 200, START, { schedule: '0 */5 * * * *', ...pause });
    scene.clock.set(UNTIL);
    const sent = vi.spyOn(pg.Client.prototype, 'query');
    await instance.planner.runOnce();
    const statements = sent.mock.calls.length;
    sent.mockRestore();

    expect(statements).toBeGreaterThan(0);
    expect(statements).toBeLessThan(20);
    expect(await count(scene.pool, `jobs WHERE status = 'ACTIVE' AND next_run_at = $1`, [at(15)])).toBe(200);
    expect(await count(scene.pool, `job_audit_log WHERE action = 'RESUMED'`)).toBe(200);
    expect(await count(scene.pool, `event_log WHERE kind = 'JOB_RESUMED'`)).toBe(200);
    expect(instance.wakeUps.woken.filter((kind) => kind === 'jobs')).toEqual(['jobs']);
  });

  it('are worked off batch by batch, and what becomes due meanwhile is planned', async () => {
    const instance = scene.instance();
    await insertJobsOfSlot(scene.pool, 500, START, { schedule: '0 */5 * * * *', ...pause });
    scene.clock.set(UNTIL);
    const stillPaused = () => count(scene.pool, `jobs WHERE status = 'PAUSED'`);
    const left = [await stillPaused()];
    while ((left.at(-1) ?? 0) > 0) {
      const due = await insertJob(scene.pool, { schedule: '* * * * * *', next_run_at: scene.clock.now() });
      instance.planner.wake();
      await instance.planner.runOnce();
      expect(await executionsOf(scene.pool, due)).toHaveLength(1);
      left.push(await stillPaused());
      scene.clock.advance(SECOND_MS);
    }
    expect(left).toEqual([500, 300, 100, 0]);
  });

  it('are each taken up once by instances that see them at once', async () => {
    const instances = [scene.instance(), scene.instance(), scene.instance()];
    await insertJobsOfSlot(scene.pool, 300, START, { schedule: '0 */5 * * * *', ...pause });
    scene.clock.set(UNTIL);
    for (let round = 0; round < 2; round += 1)
      await Promise.all(instances.map((instance) => instance.planner.runOnce()));
    expect(await count(scene.pool, `jobs WHERE status = 'ACTIVE' AND version = 2`)).toBe(300);
    expect(await count(scene.pool, `event_log WHERE kind = 'JOB_RESUMED'`)).toBe(300);
  });

  it('are left to the next batch when computing their slots takes long', async () => {
    const instance = scene.instance();
    await insertJobsOfSlot(scene.pool, 5, START, pause);
    scene.clock.set(UNTIL);
    let readings = 0;
    // As if each job took 150 ms.
    await resumeEndedPauses(instance.commandDeps, () => 150 * readings++);
    expect(await count(scene.pool, `jobs WHERE status = 'PAUSED'`)).toBe(3);
  });

  it('do not wait for those that somebody holds, however many', async () => {
    const instance = scene.instance();
    const held = await insertJobsOfSlot(scene.pool, 250, START, { ...pause, paused_until: at(9) });
    const free = await insertJob(scene.pool, { schedule: '0 */5 * * * *', ...pause });
    scene.clock.set(UNTIL);
    await inTransaction(scene.pool, async (tx) => {
      await tx.query('SELECT FROM jobs WHERE id = ANY($1) FOR UPDATE', [held]);
      await instance.planner.runOnce();
    });
    expect(await stored(free)).toMatchObject({ status: 'ACTIVE' });
    expect(await count(scene.pool, `jobs WHERE status = 'PAUSED'`)).toBe(250);
  });

  it('are not held up by a job whose schedule cannot be read', async () => {
    const instance = scene.instance();
    const broken = await insertJob(scene.pool, { schedule: 'no schedule at all', ...pause });
    const [sound] = await insertJobsOfSlot(scene.pool, 1, START, pause);
    scene.clock.set(UNTIL);
    await instance.planner.runOnce();
    expect(await stored(broken)).toMatchObject({ status: 'PAUSED', paused_until: null, version: 2 });
    expect(await stored(sound ?? '')).toMatchObject({ status: 'ACTIVE', version: 2 });
    expect(await eventKindsOf(scene.pool, broken)).toEqual(['JOB_UPDATED']);
    expect(await count(scene.pool, `job_audit_log WHERE job_id = $1 AND action = 'UPDATED'`, [broken])).toBe(
      1,
    );
  });
});
