import { describe, expect, it } from 'vitest';
import { HEARTBEAT_INTERVAL_MS } from '../../support/instance.ts';
import { START, plus } from '../../support/manual-clock.ts';
import { eventsOf, insertExecution, insertJob, type Row } from '../../support/rows.ts';
import { useScene } from '../../support/scene.ts';

const scene = useScene();
const SILENCE_MS = 3 * HEARTBEAT_INTERVAL_MS;

describe('an instance', () => {
  it('registers itself with an event, and leaves with another', async () => {
    const { heartbeat, instanceId } = scene.instance();
    await heartbeat.enter();
    expect(await instances()).toMatchObject([
      {
        instance_id: instanceId,
        hostname: 'test-host',
        version: 'test',
        started_at: START,
        last_heartbeat_at: START,
        stopped_at: null,
        lost_at: null,
      },
    ]);
    const stoppedAt = scene.clock.advance(1_000);
    await heartbeat.leave();
    expect(await instances()).toMatchObject([{ stopped_at: stoppedAt, running_executions: 0 }]);
    expect(await eventsOf(scene.pool)).toMatchObject([
      { kind: 'INSTANCE_STARTED', instance_id: instanceId },
      { kind: 'INSTANCE_STOPPED', instance_id: instanceId },
    ]);
  });

  it('reports with each beat that it is alive and how much it runs, and follows the database’s clock', async () => {
    const { heartbeat, worker } = scene.instance();
    scene.target.script('/slow', 'hang');
    const job = await insertJob(scene.pool, { api: `${scene.target.url}/slow` });
    await insertExecution(scene.pool, job, 'PENDING');
    await heartbeat.enter();
    await worker.runOnce();
    const now = scene.clock.advance(HEARTBEAT_INTERVAL_MS);
    await heartbeat.runOnce();
    expect(await instances()).toMatchObject([
      { last_heartbeat_at: now, running_executions: 1, started_at: START },
    ]);
    expect(scene.clock.refreshes).toBe(1);
  });

  it('learns with each beat whether it is alone', async () => {
    const [one, other] = [scene.instance(), scene.instance()];
    const heard: boolean[] = [];
    one.wakeUps.noteOthers = (isAnyAlive) => heard.push(isAnyAlive);
    await one.heartbeat.enter();
    await one.heartbeat.runOnce();
    await other.heartbeat.enter();
    await one.heartbeat.runOnce();
    await other.heartbeat.leave();
    await one.heartbeat.runOnce();
    expect(heard).toEqual([false, true, false]);
  });

  it('is marked as lost after three silent intervals, once, with its event', async () => {
    const [one, silent, other] = [scene.instance(), scene.instance(), scene.instance()];
    for (const { heartbeat } of [one, silent, other]) await heartbeat.enter();
    scene.clock.advance(SILENCE_MS);
    await Promise.all([one.heartbeat.runOnce(), other.heartbeat.runOnce()]);
    expect(await lost()).toEqual([]);

    const lostAt = scene.clock.advance(1);
    await Promise.all([one.heartbeat.runOnce(), other.heartbeat.runOnce()]);
    await one.heartbeat.runOnce();
    expect(await lost()).toMatchObject([{ instance_id: silent.instanceId, lost_at: lostAt }]);
    const events = (await eventsOf(scene.pool)).filter((event) => event['kind'] === 'INSTANCE_LOST');
    expect(events).toMatchObject([{ instance_id: silent.instanceId, at: lostAt }]);
  });

  it('that was frozen is alive again after its next beat, and may be lost again', async () => {
    const [one, frozen] = [scene.instance(), scene.instance()];
    for (const { heartbeat } of [one, frozen]) await heartbeat.enter();
    scene.clock.advance(SILENCE_MS + 1);
    await one.heartbeat.runOnce();
    expect(await lost()).toHaveLength(1);
    await frozen.heartbeat.runOnce();
    expect(await lost()).toEqual([]);
    scene.clock.advance(SILENCE_MS + 1);
    await one.heartbeat.runOnce();
    expect(await lost()).toHaveLength(1);
  });

  it('is not marked as lost by the first beat after a database outage', async () => {
    let nowMs = 0;
    const [one, other] = [scene.instance({ monotonicMs: () => nowMs }), scene.instance()];
    for (const { heartbeat } of [one, other]) await heartbeat.runOnce();
    nowMs += SILENCE_MS + 1;
    scene.clock.advance(SILENCE_MS + 1);
    await one.heartbeat.runOnce();
    expect(await lost()).toEqual([]);
    nowMs += HEARTBEAT_INTERVAL_MS;
    scene.clock.advance(HEARTBEAT_INTERVAL_MS);
    await one.heartbeat.runOnce();
    expect(await lost()).toMatchObject([{ instance_id: other.instanceId }]);
  });

  it('that has left is not lost', async () => {
    const [one, gone] = [scene.instance(), scene.instance()];
    for (const { heartbeat } of [one, gone]) await heartbeat.enter();
    await gone.heartbeat.leave();
    scene.clock.advance(SILENCE_MS + 1);
    await one.heartbeat.runOnce();
    expect(await lost()).toEqual([]);
  });

  it('is deleted a day after its end', async () => {
    const [one, gone, dead] = [scene.instance(), scene.instance(), scene.instance()];
    for (const { heartbeat } of [one, gone, dead]) await heartbeat.enter();
    await gone.heartbeat.leave();
    scene.clock.advance(SILENCE_MS + 1);
    await one.heartbeat.runOnce();
    scene.clock.set(plus(START, 24 * 3_600_000));
    await one.heartbeat.runOnce();
    expect(await instances()).toHaveLength(3);
    scene.clock.advance(1);
    await one.heartbeat.runOnce();
    expect((await instances()).map((row) => row['instance_id']).toSorted()).toEqual(
      [one.instanceId, dead.instanceId].toSorted(),
    );
    scene.clock.advance(24 * 3_600_000);
    await one.heartbeat.runOnce();
    expect((await instances()).map((row) => row['instance_id'])).toEqual([one.instanceId]);
  });
});

async function instances(): Promise<Row[]> {
  const { rows } = await scene.pool.query<Row>('SELECT * FROM scheduler_metadata ORDER BY instance_id');
  return rows;
}

async function lost(): Promise<Row[]> {
  return (await instances()).filter((row) => row['lost_at'] !== null);
}
