import { createHmac } from 'node:crypto';
import { expect, it } from 'vitest';
import type { AlertNotice } from '../../src/domain/alert/alert-notice.ts';
import { apiClient, type ApiClient } from '../support/api-client.ts';
import { latenesses } from '../support/faults/figures.ts';
import { createJobs } from '../support/faults/load.ts';
import { startHosts } from '../support/faults/many-hosts.ts';
import { startMailServer } from '../support/mail-server.ts';
import { count } from '../support/rows.ts';
import { SHORT_LEASE } from '../support/server-process.ts';
import { until } from '../support/until.ts';
import { useWorld } from '../support/world.ts';

const world = useWorld('test');
const KEY = Buffer.from('a signing key of thirty-two bytes');

const CREATE = /* GraphQL */ `
  mutation ($input: CreateJobAlertInput!) {
    createJobAlert(input: $input) {
      alert {
        id
      }
      errors {
        message
      }
    }
  }
`;
const READ = /* GraphQL */ `
  query ($id: ID!) {
    job(id: $id) {
      alerts {
        channel
        failing
        deliveries {
          nodes {
            event
            status
            attempts
            execution {
              status
            }
          }
        }
      }
    }
  }
`;
interface Read {
  job: {
    alerts: {
      channel: string;
      failing: boolean;
      deliveries: { nodes: { event: string; status: string }[] };
    }[];
  };
}

async function createAlert(api: ApiClient, input: Record<string, unknown>): Promise<string> {
  type Data = { createJobAlert: { alert: { id: string } | null; errors: unknown[] } };
  const { createJobAlert } = await api.query<Data>(CREATE, { input });
  expect(createJobAlert.errors).toEqual([]);
  return createJobAlert.alert?.id ?? '';
}

/** Runs a job once and waits for its end. */
async function run(api: ApiClient, job: { id: string }): Promise<void> {
  const id = await api.trigger(job);
  await until(async () => {
    const { execution } = await api.query<{ execution: { finishedAt: string | null } }>(
      'query ($id: ID!) { execution(id: $id) { finishedAt } }',
      { id },
    );
    return execution.finishedAt;
  });
}

it('Sends one mail and one webhook for a job that fails three times, and one of each for its recovery', async () => {
  const { target, pool } = world;
  const mail = await startMailServer({ user: 'sched', password: 's3cret' });
  const server = await world.startServer({
    SMTP_URL: `${mail.url}?requireTLS=false`,
    ALERT_EMAIL_FROM: 'Job Scheduler <jobs@test.example>',
    ALERT_SIGNING_SECRET: `whsec_${KEY.toString('base64')}`,
  });
  const api = apiClient(server);
  const job = await api.createJob({ name: 'Nightly report', api: `${target.url}/work` });
  const common = { jobId: job.id, events: ['FAILED', 'RECOVERED'], failureThreshold: 3 };
  await createAlert(api, { ...common, channel: 'WEBHOOK', target: `${target.url}/alerts/t0k3n-t0k3n` });
  await createAlert(api, { ...common, channel: 'EMAIL', target: 'ops@test.example' });

  target.script('/work', [500, 500, 500, 500, 200]);
  for (let n = 0; n < 4; n += 1) await run(api, job);
  const [failed] = await mail.received(1);
  expect(failed?.recipients).toEqual(['ops@test.example']);
  expect(failed?.parsed.subject).toBe('Nightly report failed 3 times in a row');
  expect(failed?.parsed.from?.value).toEqual([{ name: 'Job Scheduler', address: 'jobs@test.example' }]);
  await target.received('/alerts/t0k3n-t0k3n', 1);

  await run(api, job);
  await mail.received(2);
  await target.received('/alerts/t0k3n-t0k3n', 2);
  expect(mail.mails.map(({ parsed }) => parsed.subject)).toEqual([
    'Nightly report failed 3 times in a row',
    'Nightly report works again after 4 failures',
  ]);
  const calls = target.callsTo('/alerts/t0k3n-t0k3n');
  const notices = calls.map(({ body }) => JSON.parse(body) as AlertNotice);
  expect(notices.map(({ event }) => event)).toEqual(['FAILED', 'RECOVERED']);
  expect(notices[0]).toMatchObject({
    job: { id: job.id, name: 'Nightly report' },
    execution: { status: 'FAILED', responseStatus: 500 },
    failuresInRow: 3,
  });
  for (const { headers, body } of calls) {
    const signed = `${headers['webhook-id']}.${headers['webhook-timestamp']}.${body}`;
    const signature = createHmac('sha256', KEY).update(signed).digest('base64');
    expect(headers['webhook-signature']).toBe(`v1,${signature}`);
  }

  const read = await until(async () => {
    const data = await api.query<Read>(READ, { id: job.id });
    const all = data.job.alerts.flatMap(({ deliveries }) => deliveries.nodes);
    return all.every(({ status }) => status === 'DELIVERED') ? data : null;
  });
  expect(read.job.alerts).toMatchObject(
    ['WEBHOOK', 'EMAIL'].map((channel) => ({
      channel,
      failing: false,
      deliveries: {
        nodes: [
          { event: 'RECOVERED', attempts: 1, execution: { status: 'SUCCESS' } },
          { event: 'FAILED', attempts: 1, execution: { status: 'FAILED' } },
        ],
      },
    })),
  );
  expect(server.output()).not.toMatch(/t0k3n|s3cret|whsec/);
  const { rows } = await pool.query<{ after: unknown }>('SELECT after FROM job_audit_log');
  expect(JSON.stringify(rows)).not.toContain('t0k3n');
  expect(await server.stop()).toMatchObject({ code: 0 });
  await mail.close();
});

it('Sends a failure alert once, though the sending server is killed and two servers share the work', async () => {
  const { target, pool } = world;
  const doomed = await world.startServer(SHORT_LEASE);
  const job = await apiClient(doomed).createJob({ api: `${target.url}/work` });
  await createAlert(apiClient(doomed), {
    jobId: job.id,
    channel: 'WEBHOOK',
    target: `${target.url}/alerts`,
    events: ['DEAD_LETTERED'],
  });
  target.script('/work', 500);
  target.script('/alerts', ['hang', 200]);
  await run(apiClient(doomed), job);
  await target.received('/alerts', 1);
  await doomed.kill();

  await Promise.all([world.startServer(), world.startServer()]);
  // The test ends the lease itself. It checks that another server takes over the delivery, once.
  await pool.query(`UPDATE job_alert_deliveries SET lease_expires_at = now() - interval '1 s'`);
  const calls = await target.received('/alerts', 2);
  await until(async () => {
    const { rows } = await pool.query(`SELECT FROM job_alert_deliveries WHERE status = 'DELIVERED'`);
    return rows.length === 1;
  });
  expect(new Set(calls.map(({ headers }) => headers['idempotency-key'])).size).toBe(1);
  expect(target.callsTo('/alerts')).toHaveLength(2);
});

/** The most alerts that a job may have, and enough jobs that their receivers take every sending slot. */
const ALERTS_PER_JOB = 10;
const JOBS = 5;
const SENDS_AT_ONCE = 20;
const SLOTS = 5;
/** A tenth of the time that a receiver may hang. A busy machine may be slow, but no job may wait for alerts. */
const LATENESS_LIMIT_MS = 6_000;

it('Jobs start on time and no run is skipped while all receivers of their alerts hang', async () => {
  const { target, pool } = world;
  const receivers = await startHosts(JOBS);
  receivers.target.script('/alerts', 'hang');
  const server = await world.startServer({ ALERT_TIMEOUT_MS: '60000', ALERT_MAX_PER_MINUTE: '1000' });
  const api = apiClient(server);
  const watched = await createJobs(api, JOBS, () => ({ api: `${target.url}/work`, schedule: '* * * * * *' }));
  for (const [index, { id: jobId }] of watched.entries()) {
    const alert = {
      channel: 'WEBHOOK',
      target: `${receivers.urls[index] ?? ''}/alerts`,
      events: ['SUCCEEDED'],
    };
    await Promise.all(Array.from({ length: ALERTS_PER_JOB }, () => createAlert(api, { jobId, ...alert })));
  }
  await receivers.target.received('/alerts', SENDS_AT_ONCE);

  const hangingSince = Math.ceil(Date.now() / 1_000);
  const due = Array.from({ length: SLOTS }, (_, n) => new Date((hangingSince + n) * 1_000).toISOString());
  const late = await until(
    () => {
      const calls = target
        .callsTo('/work')
        .filter(({ headers }) => due.includes(headers['x-scheduled-at'] ?? ''));
      const isEach = new Set(calls.map(({ headers }) => headers['idempotency-key'])).size === JOBS * SLOTS;
      return isEach ? latenesses(calls) : null;
    },
    { timeoutMs: 60_000, what: 'every job has been called for every second' },
  );
  expect(Math.max(...late)).toBeLessThan(LATENESS_LIMIT_MS);
  // The alerts were due and are still not sent.
  const waiting = await count(pool, `job_alert_deliveries WHERE status = 'PENDING'`);
  expect(waiting).toBeGreaterThan(JOBS * ALERTS_PER_JOB);
  expect(await count(pool, `job_alert_deliveries WHERE status <> 'PENDING'`)).toBe(0);
});
