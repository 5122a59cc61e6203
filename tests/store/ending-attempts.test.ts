import { describe, expect, it } from 'vitest';
import { inTransaction } from '../../src/store/statements/sql.ts';
import { appendEvents, EVENT_LOG_LOCK } from '../../src/store/events/append-events.ts';
import { settle, settlementRow, type Settlement } from '../../src/store/executions/settling.ts';
import { plus, START } from '../support/manual-clock.ts';
import { attemptsOf, count, insertJob, logLinesOf, readExecution } from '../support/rows.ts';
import { useScene } from '../support/scene.ts';
import { insertRunning, succeeded, uncalled } from '../support/settlements.ts';
import { until } from '../support/until.ts';

const scene = useScene();

const ANSWER = {
  responseHeaders: { 'x-answer': 'yes' },
  timings: { totalMs: 99.6 },
  log: { level: 'INFO', message: 'Done.', metadata: { method: 'POST' } },
} as const satisfies Partial<Settlement>;

const REFUSAL = {
  failureReason: 'HTTP_STATUS',
  errorMessage: 'Status 500.',
  responseStatus: 500,
} as const satisfies Partial<Settlement>;

async function settled(settlement: (id: string) => Settlement, setUp = ''): Promise<string> {
  const [id = ''] = await insertRunning(scene.pool, await insertJob(scene.pool));
  if (setUp !== '') await scene.pool.query(`UPDATE job_executions SET ${setUp} WHERE id = $1`, [id]);
  await settle(scene.pool, [settlementRow(settlement(id))]);
  return id;
}

/** Those of this database that wait for a lock of that kind. */
const waitsFor = (kind: string) => `pg_stat_activity JOIN pg_locks USING (pid)
  WHERE datname = current_database() AND locktype = '${kind}' AND NOT granted`;

/** Rows of the tables that keep what is not kept with executions. */
async function rowsApart(): Promise<{ attempts: number; lines: number }> {
  return {
    attempts: await count(scene.pool, 'job_execution_attempts'),
    lines: await count(scene.pool, 'job_execution_logs'),
  };
}

describe('an attempt and its line', () => {
  it.each([
    ['success', { status: 'SUCCESS' }],
    ['failure', { status: 'FAILED', ...REFUSAL }],
  ] as const)('are kept with the execution that they end in %s, and nowhere else', async (_, end) => {
    const id = await settled((execution) => ({ ...succeeded(execution), ...ANSWER, ...end }));
    const { failureReason, errorMessage, responseStatus } = { ...succeeded(id), ...end };
    expect(await attemptsOf(scene.pool, id)).toEqual([
      {
        execution_id: id,
        number: 1,
        started_at: START,
        finished_at: plus(START, 100),
        duration_ms: 100,
        response_status: responseStatus,
        failure_reason: failureReason,
        error_message: errorMessage,
        response_headers: ANSWER.responseHeaders,
        response_body: 'ok',
        instance_id: 'another-instance',
        timings: ANSWER.timings,
      },
    ]);
    expect(await logLinesOf(scene.pool, id)).toEqual([
      {
        execution_id: id,
        position: expect.any(BigInt) as bigint,
        at: plus(START, 100),
        level: 'INFO',
        message: 'Done.',
        attempt: 1,
        metadata: ANSWER.log.metadata,
      },
    ]);
    expect(await rowsApart()).toEqual({ attempts: 0, lines: 0 });
  });

  it.each([
    ['is repeated', { status: 'RETRYING', availableAt: plus(START, 1_000), ...REFUSAL }, ''],
    ['was interrupted', { status: 'PENDING', availableAt: plus(START, 100), ...REFUSAL }, ''],
    ['is cancelled', { status: 'CANCELLED' }, ''],
    [
      'is cancelled instead of repeated',
      { status: 'RETRYING', availableAt: plus(START, 1_000), ...REFUSAL },
      `cancel_requested_at = created_at`,
    ],
  ] as const)('are rows of their own where the call %s', async (_, end, setUp) => {
    const id = await settled((execution) => ({ ...succeeded(execution), ...ANSWER, ...end }), setUp);
    const { failureReason, errorMessage } = { ...succeeded(id), ...end };
    expect(await attemptsOf(scene.pool, id)).toMatchObject([
      { number: 1, failure_reason: failureReason, error_message: errorMessage, timings: ANSWER.timings },
    ]);
    expect(await logLinesOf(scene.pool, id)).toMatchObject([{ attempt: 1, metadata: ANSWER.log.metadata }]);
    expect(await rowsApart()).toEqual({ attempts: 1, lines: 1 });
  });

  it.each([
    ['kept with the execution', { status: 'SUCCESS' }, null],
    [
      'a row of its own',
      { status: 'RETRYING', availableAt: plus(START, 1_000), ...REFUSAL },
      { method: 'PUT', url: 'http://a.test/?b' },
    ],
  ] as const)('name their request where they say nothing else: a line that is %s', async (_, end, stored) => {
    const request = { method: 'PUT', url: 'http://a.test/?b', headers: { 'x-a': 'b' }, body: 'c' } as const;
    const id = await settled((execution) => ({ ...succeeded(execution), request, ...end }));
    const named = { method: 'PUT', url: 'http://a.test/?b' };
    expect(await logLinesOf(scene.pool, id)).toMatchObject([{ attempt: 1, metadata: named }]);
    const { rows } = await scene.pool.query<{ stored: unknown }>(
      `SELECT coalesce(log_metadata, (SELECT metadata FROM job_execution_logs WHERE execution_id = e.id)) AS stored
       FROM job_executions AS e`,
    );
    expect(rows).toEqual([{ stored }]);
  });

  it.each([
    ['kept with the execution', { status: 'FAILED', ...REFUSAL }],
    ['a row of its own', { status: 'RETRYING', availableAt: plus(START, 1_000), ...REFUSAL }],
  ] as const)('name none that another attempt has sent: a line that is %s', async (_, end) => {
    const before = `request = '{"method": "GET", "url": "http://before.test/", "headers": {}, "body": null}'`;
    const id = await settled((execution) => ({ ...succeeded(execution), request: null, ...end }), before);
    expect(await logLinesOf(scene.pool, id)).toMatchObject([{ attempt: 1, metadata: null }]);
  });

  it('are read in order, wherever each of them is kept', async () => {
    const id = await settled((execution) => ({
      ...succeeded(execution),
      status: 'RETRYING',
      availableAt: plus(START, 200),
      ...REFUSAL,
    }));
    await scene.pool.query(
      `UPDATE job_executions SET status = 'RUNNING', claim_seq = 2, attempt_count = 2, attempt_started_at = $2,
         lease_expires_at = $2 WHERE id = $1`,
      [id, plus(START, 200)],
    );
    await settle(scene.pool, [settlementRow({ ...succeeded(id), claimSeq: 2 })]);
    expect(await attemptsOf(scene.pool, id)).toMatchObject([
      { number: 1, response_status: 500, started_at: START },
      { number: 2, response_status: 200, started_at: plus(START, 200) },
    ]);
    expect(await logLinesOf(scene.pool, id)).toMatchObject([{ attempt: 1 }, { attempt: 2 }]);
    expect(await rowsApart()).toEqual({ attempts: 1, lines: 1 });
  });

  it('are no attempt, only a line, where no call was made', async () => {
    const id = await settled(uncalled);
    expect(await attemptsOf(scene.pool, id)).toEqual([]);
    expect(await logLinesOf(scene.pool, id)).toMatchObject([{ attempt: null, message: 'Given back.' }]);
  });
});

it('an attempt and its line are recorded of rows as they are once whoever changes them meanwhile has committed', async () => {
  const [extended = '', cancelled = ''] = await insertRunning(scene.pool, await insertJob(scene.pool), 2);
  const outcomes: Settlement[] = [
    { ...succeeded(extended), ...ANSWER },
    { ...succeeded(cancelled), ...REFUSAL, status: 'RETRYING', availableAt: plus(START, 1_000) },
  ];
  const recording = await inTransaction(scene.pool, async (tx) => {
    await tx.query('UPDATE job_executions SET lease_expires_at = $1', [plus(START, 60_000)]);
    await tx.query('UPDATE job_executions SET cancel_requested_at = $2 WHERE id = $1', [cancelled, START]);
    // In a list: the transaction would wait for the promise otherwise.
    const waiting = [settle(scene.pool, outcomes.map(settlementRow))];
    await until(async () => (await count(scene.pool, waitsFor('transactionid'))) > 0);
    return waiting;
  });
  const [result] = await Promise.all(recording);
  expect(result?.written).toEqual(new Set([extended, cancelled]));
  expect(await readExecution(scene.pool, extended)).toMatchObject({
    status: 'SUCCESS',
    log_message: 'Done.',
  });
  expect(await readExecution(scene.pool, cancelled)).toMatchObject({
    status: 'CANCELLED',
    log_message: null,
  });
  for (const id of [extended, cancelled]) {
    expect(await attemptsOf(scene.pool, id)).toMatchObject([{ number: 1 }]);
    expect(await logLinesOf(scene.pool, id)).toMatchObject([{ attempt: 1 }]);
  }
  expect(await rowsApart()).toEqual({ attempts: 1, lines: 1 });
});

it('the line has its place in the log behind all that was told before, by whoever held the log’s lock', async () => {
  const [id = ''] = await insertRunning(scene.pool, await insertJob(scene.pool));
  const recording = await inTransaction(scene.pool, async (tx) => {
    await tx.query(`SELECT pg_advisory_xact_lock(${EVENT_LOG_LOCK})`);
    // In a list: the transaction would wait for the promise otherwise.
    const waiting = [settle(scene.pool, [settlementRow(succeeded(id))])];
    await until(async () => (await count(scene.pool, waitsFor('advisory'))) > 0);
    await appendEvents(tx, [{ at: START, kind: 'JOB_CREATED' }]);
    return waiting;
  });
  await Promise.all(recording);
  const [told] = (
    await scene.pool.query<{ position: bigint }>(`SELECT position FROM event_log WHERE kind = 'JOB_CREATED'`)
  ).rows;
  const [line] = await logLinesOf(scene.pool, id);
  expect(line?.['position']).toBeGreaterThan(told?.position ?? Infinity);
});
