import { createHmac } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { MAX_TESTS_PER_MINUTE } from '../../src/commands/alerts/test-job-alert.ts';
import type { AlertNotice } from '../../src/domain/alert/alert-notice.ts';
import { encodePublicId } from '../../src/domain/values/public-id.ts';
import { newUuidV7 } from '../../src/domain/values/uuid-v7.ts';
import { claimDeliveries } from '../../src/store/alerts/alert-deliveries.ts';
import { insertDeliveries } from '../../src/store/alerts/alert-reports.ts';
import type { StoredAlert } from '../../src/store/alerts/alerts.ts';
import { createAlert, deliverAll, deliveriesOf, notice } from '../support/alerts.ts';
import { ALERT_MAX_ATTEMPTS, CALLER, createJob, type TestInstance, valueOf } from '../support/instance.ts';
import { type MailServer, startMailServer } from '../support/mail-server.ts';
import { plus, START } from '../support/manual-clock.ts';
import { onStatements } from '../support/on-statements.ts';
import { watchTicks } from '../support/rests.ts';
import { count, readRow } from '../support/rows.ts';
import { useScene } from '../support/scene.ts';
import { createGate } from '../support/target-server.ts';
import { until } from '../support/until.ts';

const scene = useScene();
let mail: MailServer;

beforeEach(async () => {
  mail = await startMailServer();
});
afterEach(async () => {
  await mail.close();
});

/** An alert whose receiver is a path of the target, and its deliveries. */
async function alertAt(instance: TestInstance, path: string, name = 'Nightly report'): Promise<StoredAlert> {
  const job = await createJob(instance, { name });
  return createAlert(instance, job, { target: `${scene.target.url}${path}` });
}

async function mailAlert(instance: TestInstance, target = 'ops@test.example'): Promise<StoredAlert> {
  return createAlert(instance, await createJob(instance), { channel: 'EMAIL', target });
}

/** A delivery that is due, as the reader writes it. Returns its id. */
async function insertDue(alert: { id: string }, facts: Partial<AlertNotice> = {}): Promise<string> {
  const id = newUuidV7(scene.clock.now());
  const now = scene.clock.now();
  await insertDeliveries(scene.pool, [
    {
      id,
      alertId: alert.id,
      executionId: null,
      event: facts.event ?? 'FAILED',
      createdAt: now,
      dueAt: now,
      occurrences: 1,
      isTest: false,
      notice: notice({ id: encodePublicId('AlertDelivery', id), ...facts }),
      leaseExpiresAt: null,
      attempts: 0,
    },
  ]);
  return id;
}

function delivery(id: string) {
  return readRow(scene.pool, 'job_alert_deliveries', id);
}

describe('a result that cannot be recorded', () => {
  it('is recorded when the database is back, and not sent again', async () => {
    const instance = scene.instance();
    const id = await insertDue(await alertAt(instance, '/alerts'));
    let tries = 0;
    onStatements(instance.pool, 'record-delivery', (send) => {
      tries += 1;
      return tries < 3 ? Promise.reject(new Error('Connection terminated unexpectedly')) : send();
    });
    await deliverAll(instance);
    expect(await delivery(id)).toMatchObject({ status: 'DELIVERED', attempts: 1 });
    expect(scene.target.callsTo('/alerts')).toHaveLength(1);
  });

  it('is given up when another instance may send the delivery, and on stop', async () => {
    const instance = scene.instance();
    const id = await insertDue(await alertAt(instance, '/alerts'));
    onStatements(instance.pool, 'record-delivery', () => {
      scene.clock.advance(10_000);
      return Promise.reject(new Error('Connection terminated unexpectedly'));
    });
    await instance.deliverer.runOnce();
    await until(() => instance.errors.length > 0);
    expect(instance.errors).toMatchObject([{ message: 'Connection terminated unexpectedly' }]);
    expect(scene.clock.now()).toEqual(plus(START, 30_000));
    expect(await delivery(id)).toMatchObject({ status: 'PENDING', attempts: 1 });
    scene.clock.set(plus(START, 40_000));
    await instance.deliverer.runOnce();
    instance.deliverer.abort();
    await until(() => instance.errors.length > 1);
    expect(scene.clock.now()).toEqual(plus(START, 50_000));
  });
});

describe('a webhook', () => {
  it('gets the notice as JSON, with the delivery as Idempotency-Key', async () => {
    const instance = scene.instance();
    const id = await insertDue(await alertAt(instance, '/alerts'));
    await deliverAll(instance);
    const publicId = encodePublicId('AlertDelivery', id);
    const [call] = scene.target.callsTo('/alerts');
    expect(call).toMatchObject({
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        'idempotency-key': publicId,
        'x-alert-event': 'FAILED',
        'user-agent': 'job-scheduler/test',
      },
    });
    expect(call?.headers).not.toHaveProperty('webhook-signature');
    expect(JSON.parse(call?.body ?? '')).toEqual({
      ...notice({ id: publicId }),
      text: 'Nightly report failed 3 times in a row',
    });
    expect(await delivery(id)).toMatchObject({
      status: 'DELIVERED',
      attempts: 1,
      last_error: null,
      delivered_at: START,
      lease_expires_at: null,
    });
  });

  it('is signed by the Standard Webhooks scheme when there is a key', async () => {
    const key = Buffer.from('a key of thirty-two bytes, random');
    const instance = scene.instance({ alertSigningKey: key });
    await insertDue(await alertAt(instance, '/alerts'));
    await deliverAll(instance);
    const [call] = await scene.target.received('/alerts');
    const { headers = {}, body = '' } = call ?? {};
    const signed = `${headers['webhook-id']}.${headers['webhook-timestamp']}.${body}`;
    expect(headers['webhook-id']).toBe(headers['idempotency-key']);
    expect(headers['webhook-timestamp']).toBe(String(START.getTime() / 1_000));
    const signature = createHmac('sha256', key).update(signed).digest('base64');
    expect(headers['webhook-signature']).toBe(`v1,${signature}`);
  });

  it('sends user and password of its URL as a header', async () => {
    const instance = scene.instance();
    const job = await createJob(instance);
    const target = scene.target.url.replace('://', '://ops:s%40cret@');
    await insertDue(await createAlert(instance, job, { target: `${target}/alerts` }));
    await deliverAll(instance);
    const basic = Buffer.from('ops:s@cret').toString('base64');
    expect(scene.target.callsTo('/alerts')[0]?.headers['authorization']).toBe(`Basic ${basic}`);
  });

  it('that fails is retried under the same id until it succeeds', async () => {
    const instance = scene.instance();
    scene.target.script('/alerts', [500, 404, { status: 429, headers: { 'retry-after': '90' } }, 204]);
    const id = await insertDue(await alertAt(instance, '/alerts'));
    const waits: number[] = [];
    for (let attempt = 1; attempt < 4; attempt += 1) {
      await deliverAll(instance);
      const row = await delivery(id);
      expect(row).toMatchObject({ status: 'PENDING', attempts: attempt, lease_expires_at: null });
      const availableAt = row['available_at'] as Date;
      waits.push(availableAt.getTime() - scene.clock.now().getTime());
      scene.clock.set(plus(availableAt, -1));
      await deliverAll(instance);
      expect(scene.target.callsTo('/alerts')).toHaveLength(attempt);
      scene.clock.set(availableAt);
    }
    await deliverAll(instance);
    expect(waits).toEqual([10_000, 20_000, 90_000]);
    expect(await delivery(id)).toMatchObject({
      status: 'DELIVERED',
      attempts: 4,
      last_error: 'The receiver answered with status 429.',
    });
    const keys = scene.target.callsTo('/alerts').map(({ headers }) => headers['idempotency-key']);
    expect(new Set(keys).size).toBe(1);
  });

  it('that always fails is given up after the last try, with the reason', async () => {
    const instance = scene.instance();
    scene.target.script('/alerts', 503);
    const id = await insertDue(await alertAt(instance, '/alerts'));
    for (let attempt = 0; attempt < ALERT_MAX_ATTEMPTS + 2; attempt += 1) {
      await deliverAll(instance);
      scene.clock.advance(4_000_000);
    }
    expect(scene.target.callsTo('/alerts')).toHaveLength(ALERT_MAX_ATTEMPTS);
    expect(await delivery(id)).toMatchObject({
      status: 'FAILED',
      attempts: ALERT_MAX_ATTEMPTS,
      last_error: 'The receiver answered with status 503.',
      delivered_at: null,
    });
  });

  it('that answers 410 is given up at once', async () => {
    const instance = scene.instance();
    scene.target.script('/alerts', 410);
    const id = await insertDue(await alertAt(instance, '/alerts'));
    await deliverAll(instance);
    expect(await delivery(id)).toMatchObject({ status: 'FAILED', attempts: 1 });
  });

  it('that hangs is given up after the timeout of a try, and the reason does not show its path', async () => {
    const instance = scene.instance({ alertTimeoutMs: 200 });
    scene.target.script('/s3cret-path', 'hang');
    const id = await insertDue(await alertAt(instance, '/s3cret-path'));
    await deliverAll(instance);
    const { host } = new URL(scene.target.url);
    expect(await delivery(id)).toMatchObject({
      status: 'PENDING',
      last_error: `No complete response from ${host} within 200 ms.`,
    });
  });

  it('at a blocked address is not called, also after redirects', async () => {
    const instance = scene.instance({ blockedRanges: ['127.0.0.2/32'] });
    const job = await createJob(instance);
    const direct = await insertDue(await createAlert(instance, job, { target: 'http://127.0.0.2:9/alerts' }));
    scene.target.script('/moved', { status: 307, headers: { location: 'http://127.0.0.2:9/' } });
    const moved = await insertDue(await alertAt(instance, '/moved'));
    await deliverAll(instance);
    expect(await delivery(direct)).toMatchObject({
      status: 'FAILED',
      last_error: expect.stringContaining('must not be called') as string,
    });
    // The body goes to no other origin, so the redirect is the answer.
    expect(await delivery(moved)).toMatchObject({
      status: 'PENDING',
      last_error: 'The receiver answered with status 307.',
    });
  });
});

/** The text objects of a message to Slack, at any depth. */
function textObjectsOf(part: unknown): { type: string; verbatim?: boolean }[] {
  if (typeof part !== 'object' || part === null) return [];
  if ('type' in part && (part.type === 'mrkdwn' || part.type === 'plain_text'))
    return [part as { type: string; verbatim?: boolean }];
  return Object.values(part).flatMap(textObjectsOf);
}

describe('Slack', () => {
  it('gets blocks, and a text for clients without blocks', async () => {
    const instance = scene.instance();
    const job = await createJob(instance);
    const target = `${scene.target.url}/services/T0/B0/s3cret`;
    await insertDue(await createAlert(instance, job, { channel: 'SLACK', target }));
    await deliverAll(instance);
    const body = JSON.parse(scene.target.callsTo('/services/T0/B0/s3cret')[0]?.body ?? '') as {
      text: string;
      blocks: { type: string; text?: { text: string }; fields?: { text: string }[] }[];
    };
    const title = 'Nightly report failed 3 times in a row';
    expect(body.text).toMatch(new RegExp(`^${title}\n.*\nMessage: The target answered`, 's'));
    expect(body.blocks[0]).toMatchObject({ type: 'header', text: { type: 'plain_text', text: title } });
    const fields = body.blocks.flatMap(({ fields: shown = [] }) => shown.map(({ text }) => text));
    expect(fields).toContain('*Message*\nThe target answered with status 500.');
    for (const { fields: shown = [] } of body.blocks) expect(shown.length).toBeLessThanOrEqual(10);
  });

  it('treats nothing from a target or a name as a mention or a link', async () => {
    const instance = scene.instance();
    const job = await createJob(instance);
    const alert = await createAlert(instance, job, { channel: 'SLACK', target: `${scene.target.url}/slack` });
    const { execution } = notice();
    await insertDue(alert, {
      job: { id: 'job_1', key: null, name: 'A & <!channel>' },
      execution: execution && { ...execution, errorMessage: '<https://evil.example|click> & more' },
    });
    await deliverAll(instance);
    const body = scene.target.callsTo('/slack')[0]?.body ?? '';
    const { text } = JSON.parse(body) as { text: string };
    expect(text).toMatch(/^A &amp; &lt;!channel&gt; failed 3 times in a row\n/);
    expect(body).toContain('&lt;https://evil.example|click&gt; &amp; more');
    // Slack turns bare URLs into links and names into mentions, unless the message disables that.
    const texts = textObjectsOf(JSON.parse(body));
    expect(texts.map(({ type }) => type)).toEqual(expect.arrayContaining(['plain_text', 'mrkdwn']));
    for (const object of texts) expect(object.verbatim).toBe(object.type === 'mrkdwn' ? true : undefined);
  });
});

describe('mail', () => {
  it('arrives as text and as HTML, with the right sender and receivers', async () => {
    const instance = scene.instance({ smtpUrl: mail.url });
    const id = await insertDue(await mailAlert(instance, 'ops@test.example'));
    await deliverAll(instance);
    const [received] = mail.mails;
    expect(received?.recipients).toEqual(['ops@test.example']);
    const { parsed } = received ?? { parsed: null };
    expect(parsed).toMatchObject({ subject: 'Nightly report failed 3 times in a row' });
    expect(parsed?.from?.text).toBe('"Scheduler" <scheduler@test.example>');
    expect(parsed?.text).toMatch(/^Message: +The target answered with status 500\.$/m);
    expect(parsed?.html).toContain('The target answered with status 500.</td>');
    expect(parsed?.headers.get('auto-submitted')).toBe('auto-generated');
    const publicId = encodePublicId('AlertDelivery', id);
    expect(parsed?.headers.get('x-alert-delivery-id')).toBe(publicId);
    expect(parsed?.messageId).toContain(publicId);
    expect(await delivery(id)).toMatchObject({ status: 'DELIVERED', attempts: 1 });
    await until(() => mail.connections() === 0);
  });

  it('contains nothing of a job or an answer that a mail program would treat as more than text', async () => {
    const instance = scene.instance({ smtpUrl: mail.url });
    const { execution } = notice();
    await insertDue(await mailAlert(instance), {
      job: { id: 'job_1', key: null, name: 'Evil\r\nBcc: other@test.example\r\n' },
      execution: execution && {
        ...execution,
        errorMessage: '<img src="https://evil.example/?x=1"> & \'more\'',
      },
    });
    await deliverAll(instance);
    const [received] = mail.mails;
    expect(received?.recipients).toEqual(['ops@test.example']);
    expect(received?.parsed.subject).toBe('Evil Bcc: other@test.example failed 3 times in a row');
    expect(received?.parsed.bcc).toBeUndefined();
    expect(received?.parsed.html).not.toContain('<img');
    expect(received?.parsed.text).toContain('<img src="https://evil.example/?x=1"> & \'more\'');
  });

  it('is sent with user and password, and retried when they are refused', async () => {
    const guarded = await startMailServer({ user: 'sched', password: 'p@ss/word', offersTls: true });
    const smtpUrl = `${guarded.url}?tls.rejectUnauthorized=false`;
    const known = scene.instance({ smtpUrl });
    const wrong = scene.instance({ smtpUrl: smtpUrl.replace('p%40ss%2Fword', 'guessed') });
    const id = await insertDue(await mailAlert(wrong));
    await deliverAll(wrong);
    const row = await delivery(id);
    expect(row).toMatchObject({ status: 'PENDING' });
    expect(row['last_error']).toMatch(/refused user and password/);
    expect(row['last_error']).not.toContain('guessed');
    scene.clock.advance(10_000);
    await deliverAll(known);
    expect(await delivery(id)).toMatchObject({ status: 'DELIVERED' });
    expect(guarded.mails).toHaveLength(1);
    const login = { user: 'sched', overTls: true };
    expect(guarded.logins).toEqual([login, login]);
    await guarded.close();
  });

  it('sends user and password over TLS only, unless SMTP_URL allows otherwise', async () => {
    const open = await startMailServer({ user: 'sched', password: 'secret' });
    const careful = scene.instance({ smtpUrl: open.url });
    const id = await insertDue(await mailAlert(careful));
    await deliverAll(careful);
    expect(open.logins).toEqual([]);
    const { status, last_error: error } = await delivery(id);
    expect(status).toBe('PENDING');
    expect(error).toMatch(/offered no secure connection.*sent over TLS only.*requireTLS=false/);

    scene.clock.advance(10_000);
    await deliverAll(scene.instance({ smtpUrl: `${open.url}?requireTLS=false` }));
    expect(await delivery(id)).toMatchObject({ status: 'DELIVERED' });
    expect(open.logins).toEqual([{ user: 'sched', overTls: false }]);
    await open.close();
  });

  it.each([
    [550, 'FAILED'],
    [450, 'PENDING'],
  ] as const)("that is refused with %i is %s, with the server's message", async (code, status) => {
    mail.treat({ code, text: 'No such person here' });
    const instance = scene.instance({ smtpUrl: mail.url });
    const id = await insertDue(await mailAlert(instance));
    await deliverAll(instance);
    const row = await delivery(id);
    expect(row).toMatchObject({ status });
    expect(row['last_error']).toContain(`${code} No such person here`);
  });

  it('to a hanging server is given up in time and arrives when the server answers again, under the same id', async () => {
    const gate = createGate();
    mail.treat({ until: gate.opened });
    const instance = scene.instance({ smtpUrl: mail.url, alertTimeoutMs: 300 });
    const id = await insertDue(await mailAlert(instance));
    await deliverAll(instance);
    expect((await delivery(id))['last_error']).toMatch(/had not taken the mail within 300 ms/);
    mail.treat('take');
    gate.open();
    scene.clock.advance(10_000);
    await deliverAll(instance);
    expect(await delivery(id)).toMatchObject({ status: 'DELIVERED', attempts: 2 });
    expect(new Set(mail.mails.map(({ parsed }) => parsed.messageId)).size).toBe(1);
  });

  it('that no server answers is retried', async () => {
    const { url } = mail;
    await mail.close();
    const instance = scene.instance({ smtpUrl: url });
    const id = await insertDue(await mailAlert(instance));
    await deliverAll(instance);
    expect(await delivery(id)).toMatchObject({ status: 'PENDING', attempts: 1 });
    expect((await delivery(id))['last_error']).toMatch(/could not be reached|closed the connection/);
    mail = await startMailServer();
  });

  it('waits for an instance that has a mail server', async () => {
    const without = scene.instance();
    const withMail = scene.instance({ smtpUrl: mail.url });
    const id = await insertDue(await mailAlert(withMail));
    await deliverAll(without);
    expect((await delivery(id))['last_error']).toMatch(/SMTP_URL is not set/);
    scene.clock.advance(10_000);
    await deliverAll(withMail);
    expect(await delivery(id)).toMatchObject({ status: 'DELIVERED' });
  });
});

describe('two instances', () => {
  it('send each delivery once', async () => {
    const instances = [scene.instance(), scene.instance()];
    const [first = scene.instance()] = instances;
    const alerts = await Promise.all([1, 2, 3, 4].map((n) => alertAt(first, `/alerts/${n}`)));
    for (const alert of alerts) for (let n = 0; n < 5; n += 1) await insertDue(alert);
    await Promise.all(instances.map(deliverAll));
    expect(scene.target.calls).toHaveLength(20);
    expect(new Set(scene.target.calls.map(({ headers }) => headers['idempotency-key'])).size).toBe(20);
    expect(await count(scene.pool, `job_alert_deliveries WHERE status = 'DELIVERED' AND attempts = 1`)).toBe(
      20,
    );
  });

  it('send a delivery a second time under the same id when one of them sent it and could not record that', async () => {
    const [doomed, other] = [scene.instance(), scene.instance()];
    const id = await insertDue(await alertAt(doomed, '/alerts'));
    const [claimed] = await claimDeliveries(doomed.pool, {
      now: scene.clock.now(),
      leaseExpiresAt: plus(START, 40_000),
      limit: 1,
      busyHosts: new Map(),
      hostLimit: 5,
    });
    // It sends, and dies before it records the result.
    await fetch(claimed?.target ?? '', {
      method: 'POST',
      headers: { 'idempotency-key': claimed?.notice.id ?? '' },
    });
    scene.clock.advance(39_999);
    await deliverAll(other);
    expect(scene.target.callsTo('/alerts')).toHaveLength(1);
    scene.clock.advance(1);
    await deliverAll(other);
    const keys = scene.target.callsTo('/alerts').map(({ headers }) => headers['idempotency-key']);
    expect(keys).toEqual([encodePublicId('AlertDelivery', id), encodePublicId('AlertDelivery', id)]);
    expect(await delivery(id)).toMatchObject({ status: 'DELIVERED', attempts: 2 });
  });

  it('do not contradict each other: a failure counts only from the holder of the delivery, a success always', async () => {
    const [slow, other] = [scene.instance(), scene.instance()];
    const id = await insertDue(await alertAt(slow, '/alerts'));
    const gate = scene.target.gate('/alerts', 500);
    await slow.deliverer.runOnce();
    await scene.target.received('/alerts');
    scene.clock.advance(60_000);
    scene.target.script('/alerts', 500);
    await deliverAll(other);
    const taken = await delivery(id);
    expect(taken).toMatchObject({ status: 'PENDING', attempts: 2 });
    gate.open();
    await slow.deliverer.drained();
    expect(await delivery(id)).toEqual(taken);

    const late = scene.target.gate('/alerts', 200);
    scene.clock.advance(60_000);
    await slow.deliverer.runOnce();
    await scene.target.received('/alerts', 3);
    await scene.pool.query(`UPDATE job_alert_deliveries SET status = 'FAILED', lease_expires_at = NULL`);
    late.open();
    await slow.deliverer.drained();
    expect(await delivery(id)).toMatchObject({ status: 'DELIVERED' });
  });
});

describe('the order of sending', () => {
  it('of one alert is the order of the events; a delivery that waits for its next try delays no other', async () => {
    const instance = scene.instance();
    const alert = await alertAt(instance, '/alerts');
    const first = await insertDue(alert, { event: 'FAILED' });
    scene.clock.advance(5);
    await insertDue(alert, { event: 'RECOVERED' });
    scene.clock.advance(5);
    await insertDue(alert, { event: 'SUCCEEDED' });
    scene.target.script('/alerts', [500, 200]);
    await deliverAll(instance);
    const events = scene.target.callsTo('/alerts').map(({ headers }) => headers['x-alert-event']);
    expect(events).toEqual(['FAILED', 'RECOVERED', 'SUCCEEDED']);
    expect(await delivery(first)).toMatchObject({ status: 'PENDING' });
  });

  it('does not let a hanging receiver delay the others', async () => {
    const instance = scene.instance();
    const other = await startMailServer();
    scene.target.script('/hang', 'hang');
    for (let n = 0; n < 12; n += 1) await insertDue(await alertAt(instance, '/hang', `Job ${n}`));
    scene.clock.advance(1_000);
    const mailing = scene.instance({ smtpUrl: other.url });
    await insertDue(await mailAlert(mailing));
    await mailing.deliverer.runOnce();
    await other.received();
    expect(mailing.deliverer.sending()).toBeLessThanOrEqual(6);
    await scene.target.received('/hang', 5);
    await mailing.deliverer.runOnce();
    expect(scene.target.callsTo('/hang')).toHaveLength(5);
    mailing.deliverer.abort();
    await mailing.deliverer.drained();
    await other.close();
  });
});

describe('a stop', () => {
  it('gives back a delivery that is being sent, and another instance sends it at once', async () => {
    const [stopping, other] = [scene.instance(), scene.instance()];
    scene.target.script('/alerts', ['hang', 200]);
    const id = await insertDue(await alertAt(stopping, '/alerts'));
    await stopping.deliverer.runOnce();
    await scene.target.received('/alerts');
    stopping.deliverer.abort();
    await stopping.deliverer.drained();
    expect(await delivery(id)).toMatchObject({ status: 'PENDING', lease_expires_at: null, last_error: null });
    await deliverAll(other);
    expect(await delivery(id)).toMatchObject({ status: 'DELIVERED' });
  });
});

describe('the loop', () => {
  it('waits until the next delivery is due, or for a poll interval', async () => {
    const instance = scene.instance();
    const alert = await alertAt(instance, '/alerts');
    const { rests } = watchTicks();
    instance.deliverer.start();
    await until(() => rests.length === 1);
    scene.clock.advance(4_000);
    await insertDue(alert);
    scene.clock.set(START);
    instance.deliverer.wake();
    await until(() => rests.length === 2);
    expect(rests).toEqual([10_000, 4_000]);
  });

  it('sends everything that is due, one by one for each alert, after a single wake-up', async () => {
    const instance = scene.instance();
    const alert = await alertAt(instance, '/alerts');
    for (let n = 0; n < 4; n += 1) await insertDue(alert);
    instance.deliverer.start();
    await scene.target.received('/alerts', 4);
    expect(new Set(scene.target.callsTo('/alerts').map(({ body }) => body)).size).toBe(4);
  });
});

describe('a test of an alert', () => {
  it('is sent at once, also for a disabled alert, and returns the result', async () => {
    const instance = scene.instance();
    const job = await createJob(instance, { name: 'Nightly report' });
    const target = `${scene.target.url}/alerts`;
    const alert = await createAlert(instance, job, { target, events: ['LATE', 'SKIPPED'], enabled: false });
    const id = encodePublicId('JobAlert', alert.id);
    const { deliveryId } = valueOf(await instance.commands.testJobAlert({ id }));
    expect(await delivery(deliveryId)).toMatchObject({ status: 'DELIVERED', is_test: true, event: 'LATE' });
    expect(JSON.parse(scene.target.callsTo('/alerts')[0]?.body ?? '')).toMatchObject({
      isTest: true,
      event: 'LATE',
      execution: null,
      text: 'Test of an alert of Nightly report',
    });
  });

  it('that fails is not retried, and returns the reason', async () => {
    const instance = scene.instance();
    scene.target.script('/alerts', 503);
    const alert = await alertAt(instance, '/alerts');
    const id = encodePublicId('JobAlert', alert.id);
    const { deliveryId } = valueOf(await instance.commands.testJobAlert({ id }));
    expect(await delivery(deliveryId)).toMatchObject({
      status: 'FAILED',
      attempts: 1,
      last_error: 'The receiver answered with status 503.',
    });
  });

  it('is not sent by another instance meanwhile, and is sent by another when its own dies', async () => {
    const [doomed, other] = [scene.instance(), scene.instance()];
    scene.target.script('/alerts', ['hang', 200]);
    const alert = await alertAt(doomed, '/alerts');
    const testing = doomed.commands.testJobAlert({ id: encodePublicId('JobAlert', alert.id) });
    await scene.target.received('/alerts');
    await deliverAll(other);
    expect(scene.target.callsTo('/alerts')).toHaveLength(1);
    scene.clock.advance(60_000);
    await deliverAll(other);
    expect(scene.target.callsTo('/alerts')).toHaveLength(2);
    expect(await count(scene.pool, `job_alert_deliveries WHERE status = 'DELIVERED' AND is_test`)).toBe(1);
    doomed.deliverer.abort();
    await testing;
  });

  it('is refused after ten within a minute', async () => {
    const instance = scene.instance();
    const alert = await alertAt(instance, '/alerts');
    const reference = { id: encodePublicId('JobAlert', alert.id) };
    for (let n = 0; n < MAX_TESTS_PER_MINUTE; n += 1)
      valueOf(await instance.commands.testJobAlert(reference));
    expect(await instance.commands.testJobAlert(reference)).toMatchObject({
      ok: false,
      errors: [{ kind: 'ConflictError', path: ['id'] }],
    });
    scene.clock.advance(60_000);
    valueOf(await instance.commands.testJobAlert(reference));
  });
});

describe('disabling or deleting an alert', () => {
  it('gives up the unsent deliveries', async () => {
    const instance = scene.instance();
    const [disabled, deleted] = [await alertAt(instance, '/disabled'), await alertAt(instance, '/deleted')];
    const [id] = [await insertDue(disabled), await insertDue(deleted)];
    const { commands } = instance;
    const reference = { id: encodePublicId('JobAlert', disabled.id) };
    valueOf(await commands.updateJobAlert(CALLER, { ...reference, enabled: false }));
    valueOf(await commands.deleteJobAlert(CALLER, { id: encodePublicId('JobAlert', deleted.id) }));
    await deliverAll(instance);
    expect(scene.target.calls).toEqual([]);
    expect(await deliveriesOf(scene.pool)).toMatchObject([
      { id, status: 'FAILED', last_error: 'The alert was disabled before this was sent.' },
    ]);
  });
});
