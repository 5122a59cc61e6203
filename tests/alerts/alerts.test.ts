import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { createAlerts, type Alerts } from '../../src/alerts/alerts.ts';
import { newUuidV7 } from '../../src/domain/values/uuid-v7.ts';
import { createPoller } from '../../src/events/poller.ts';
import { createAlert, deliverAll, deliveriesOf } from '../support/alerts.ts';
import { createJob, LONGEST_REST_MS, type TestInstance, trigger } from '../support/instance.ts';
import { watchTicks } from '../support/rests.ts';
import { useScene } from '../support/scene.ts';
import { until } from '../support/until.ts';

const scene = useScene();

/** The alerts of an instance, as the application builds them. */
function alertsOf({ pool, sender, wakeUps }: TestInstance): Alerts {
  return createAlerts({
    pool,
    clock: scene.clock,
    sender,
    wakeUps,
    newId: newUuidV7,
    random: () => 0,
    poller: createPoller({
      db: pool,
      clock: scene.clock,
      intervalMs: LONGEST_REST_MS,
      onError: () => undefined,
    }),
    shutdownGraceMs: 50,
    smtpUrl: undefined,
    alertEmailFrom: 'scheduler@test.example',
    alertSigningSecret: undefined,
    alertTimeoutMs: 60_000,
    alertMaxAttempts: 3,
    alertMaxPerMinute: 3,
  });
}

describe('the alerts of an instance', () => {
  it('send notices without being called, and stop although a receiver hangs', async () => {
    const instance = scene.instance();
    const alerts = alertsOf(instance);
    alerts.start();
    const job = await createJob(instance, { api: `${scene.target.url}/work` });
    await createAlert(instance, job, { target: `${scene.target.url}/alerts`, events: ['SUCCEEDED'] });
    scene.target.script('/alerts', ['hang', 200]);
    await trigger(instance, job);
    await instance.work();
    await scene.target.received('/alerts');
    await alerts.stop();
    expect(await deliveriesOf(scene.pool)).toMatchObject([{ status: 'PENDING', lease_expires_at: null }]);

    await deliverAll(scene.instance());
    expect(await deliveriesOf(scene.pool)).toMatchObject([{ status: 'DELIVERED', attempts: 2 }]);
  });

  it('read and send nothing after they have stopped', async () => {
    const instance = scene.instance();
    const alerts = alertsOf(instance);
    alerts.start();
    const job = await createJob(instance, { api: `${scene.target.url}/work` });
    await createAlert(instance, job, { target: `${scene.target.url}/alerts`, events: ['SUCCEEDED'] });
    await alerts.stop();
    await trigger(instance, job);
    await instance.work();
    instance.wakeUps.wake('alerts', 'events');
    expect(await deliveriesOf(scene.pool)).toEqual([]);
    await instance.alertReader.runOnce();
    expect(await deliveriesOf(scene.pool)).toHaveLength(1);
  });

  it('are listed by name when a step of theirs has been due for too long', async () => {
    const alerts = alertsOf(scene.instance());
    const { rests } = watchTicks();
    alerts.start();
    await until(() => rests.length === 2);
    const startedMs = performance.now();
    const clock = vi.spyOn(performance, 'now');
    onTestFinished(() => {
      clock.mockRestore();
    });
    clock.mockReturnValue(startedMs + 590_000);
    expect(alerts.stalledLoops()).toEqual([]);
    clock.mockReturnValue(startedMs + 700_000);
    expect(alerts.stalledLoops()).toEqual(['alert reader', 'deliverer']);
    clock.mockRestore();
    await alerts.stop();
  });
});
