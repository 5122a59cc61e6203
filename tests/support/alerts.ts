import type { Pool, QueryResultRow } from 'pg';
import type { CreateJobAlertInput } from '../../src/commands/alerts/create-job-alert.ts';
import type { AlertNotice } from '../../src/domain/alert/alert-notice.ts';
import { encodePublicId } from '../../src/domain/values/public-id.ts';
import type { StoredAlert } from '../../src/store/alerts/alerts.ts';
import { CALLER, type TestInstance, valueOf } from './instance.ts';
import type { Row } from './rows.ts';

/** A notice of the third failure in a row, unless the test says otherwise. */
export function notice(facts: Partial<AlertNotice> = {}): AlertNotice {
  return {
    version: 1,
    id: 'delivery_01jh0000000000000000000001',
    event: 'FAILED',
    at: '2030-01-07T09:00:00.250Z',
    isTest: false,
    occurrences: 1,
    firstAt: '2030-01-07T09:00:00.250Z',
    alert: { id: 'alert_01jh0000000000000000000002' },
    job: { id: 'job_01jh0000000000000000000003', key: 'reports/nightly', name: 'Nightly report' },
    execution: {
      id: 'exec_01jh0000000000000000000004',
      status: 'FAILED',
      trigger: 'SCHEDULE',
      scheduledAt: '2030-01-07T09:00:00.000Z',
      startedAt: '2030-01-07T09:00:00.050Z',
      finishedAt: '2030-01-07T09:00:00.250Z',
      durationMs: 200,
      latenessMs: 50,
      attemptCount: 1,
      failureReason: 'HTTP_STATUS',
      skipReason: null,
      responseStatus: 500,
      errorMessage: 'The target answered with status 500.',
    },
    failuresInRow: 3,
    isFailing: true,
    ...facts,
  };
}

/** Creates an alert as a user would: by WEBHOOK, of failures, unless the test says otherwise. */
export async function createAlert(
  { commands }: Pick<TestInstance, 'commands'>,
  job: { id: string },
  input: Partial<CreateJobAlertInput> & { target: string },
): Promise<StoredAlert> {
  const jobId = encodePublicId('Job', job.id);
  return valueOf(
    await commands.createJobAlert(CALLER, { channel: 'WEBHOOK', events: ['FAILED'], ...input, jobId }),
  );
}

/** Deliveries in the order of their ids: all, or those of one alert. */
export async function deliveriesOf(pool: Pool, alertId?: string): Promise<Row[]> {
  const { rows } = await pool.query<Row & QueryResultRow>(
    'SELECT * FROM job_alert_deliveries WHERE $1::uuid IS NULL OR alert_id = $1 ORDER BY created_at, due_at, id',
    [alertId ?? null],
  );
  return rows;
}

/** Sends all that is due now, as an instance does that is left to itself, and waits until it is recorded. */
export async function deliverAll({ deliverer, pool, clock }: TestInstance): Promise<void> {
  for (;;) {
    await deliverer.runOnce();
    await deliverer.drained();
    const { rows } = await pool.query(
      `SELECT FROM job_alert_deliveries WHERE status = 'PENDING' AND greatest(available_at, lease_expires_at) <= $1`,
      [clock.now()],
    );
    if (rows.length === 0) return;
  }
}
