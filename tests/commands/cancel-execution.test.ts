import { randomUUID } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import type { ExecutionStatus } from '../../src/domain/execution/execution.ts';
import { encodePublicId } from '../../src/domain/values/public-id.ts';
import { CALLER, LEASE_MS, type TestInstance, trigger, valueOf } from '../support/instance.ts';
import { START, plus } from '../support/manual-clock.ts';
import {
  attemptsOf,
  count,
  endCountsOf,
  eventsOf,
  everythingOf,
  executionsOf,
  insertExecution,
  insertJob,
  insertRow,
  logLinesOf,
  NO_ENDS,
  readExecution,
  RETRIES,
  type Row,
} from '../support/rows.ts';
import { useScene } from '../support/scene.ts';

const scene = useScene();

type Commands = Pick<TestInstance, 'commands'>;

function cancel({ commands }: Commands, id: string, reason?: string | null) {
  return commands.cancelExecution(CALLER, { id: encodePublicId('Execution', id), reason });
}

async function auditOf(jobId: string): Promise<Row[]> {
  const { rows } = await scene.pool.query<Row>(
    'SELECT * FROM job_audit_log WHERE job_id = $1 ORDER BY at, id',
    [jobId],
  );
  return rows;
}

describe('an execution that waits', () => {
  it.each([
    { status: 'PENDING', message: 'Cancelled before it was started. Reason: Wrong figures' },
    { status: 'BLOCKED', message: 'Cancelled before it was started. Reason: Wrong figures' },
    {
      status: 'RETRYING',
      message: 'Cancelled while it waited for its next attempt. Reason: Wrong figures',
    },
  ] as const)('is cancelled at once where it is $status', async ({ status, message }) => {
    const instance = scene.instance();
    const job = await insertJob(scene.pool);
    const id = await insertExecution(scene.pool, job, status);
    const now = scene.clock.advance(5_000);
    expect(valueOf(await cancel(instance, id, 'Wrong figures'))).toEqual({ executionId: id });

    expect(await readExecution(scene.pool, id)).toMatchObject({
      status: 'CANCELLED',
      finished_at: now,
      error_message: message,
      cancel_reason: 'Wrong figures',
      duration_ms: status === 'RETRYING' ? 5_000 : null,
    });
    expect(await eventsOf(scene.pool, job)).toMatchObject([
      {
        kind: 'EXECUTION_CANCELLED',
        execution_id: id,
        at: now,
        status: 'CANCELLED',
        previous_status: status,
        trigger: 'MANUAL',
        attempt: status === 'RETRYING' ? 1 : null,
        created_at: START,
        finished_at: now,
        error_message: message,
      },
    ]);
    expect(await logLinesOf(scene.pool, id)).toMatchObject([{ level: 'WARN', at: now, message }]);
    expect(await auditOf(job)).toMatchObject([
      {
        action: 'CANCELLED',
        actor: 'test',
        before: { executionId: encodePublicId('Execution', id), status },
        after: { reason: 'Wrong figures' },
        request_id: 'req-1',
      },
    ]);
    expect(await endCountsOf(scene.pool, job)).toEqual({ ...NO_ENDS, cancelled: 1 });
    await instance.work();
    expect(await readExecution(scene.pool, id)).toMatchObject({ status: 'CANCELLED' });
  });

  it('can be cancelled without a reason', async () => {
    const id = await insertExecution(scene.pool, await insertJob(scene.pool), 'PENDING');
    valueOf(await cancel(scene.instance(), id));
    expect(await readExecution(scene.pool, id)).toMatchObject({
      error_message: 'Cancelled before it was started.',
      cancel_reason: null,
    });
  });

  it('is cancelled once, however often it is requested', async () => {
    const instance = scene.instance();
    const id = await insertExecution(scene.pool, await insertJob(scene.pool), 'PENDING');
    valueOf(await cancel(instance, id, 'First'));
    const before = await everythingOf(scene.pool, id);
    scene.clock.advance(1_000);
    expect(valueOf(await cancel(instance, id, 'Second'))).toEqual({ executionId: id });
    expect(await everythingOf(scene.pool, id)).toEqual(before);
    expect(await count(scene.pool, 'job_audit_log')).toBe(1);
  });
});

describe('a job that waits for the end of another', () => {
  async function dependentOf(upstream: string): Promise<string> {
    const job = await insertJob(scene.pool);
    await insertRow(scene.pool, 'job_dependencies', {
      id: randomUUID(),
      job_id: job,
      depends_on_id: upstream,
      condition: 'ON_COMPLETION',
      created_at: START,
    });
    return job;
  }

  it('runs when an attempted run is cancelled, in the same transaction', async () => {
    const upstream = await insertJob(scene.pool);
    const dependent = await dependentOf(upstream);
    const id = await insertExecution(scene.pool, upstream, 'RETRYING');
    valueOf(await cancel(scene.instance(), id));
    const [run] = await executionsOf(scene.pool, dependent);
    expect(run).toMatchObject({ status: 'PENDING', trigger: 'DEPENDENCY' });
    expect(
      await count(scene.pool, 'job_execution_triggers WHERE execution_id = $1 AND triggered_by_id = $2', [
        run?.['id'],
        id,
      ]),
    ).toBe(1);
    expect((await eventsOf(scene.pool)).map(({ kind, execution_id }) => [kind, execution_id])).toEqual([
      ['EXECUTION_CANCELLED', id],
      ['EXECUTION_PLANNED', run?.['id']],
    ]);
  });

  it('does not run when one is cancelled that never started', async () => {
    const upstream = await insertJob(scene.pool);
    const dependent = await dependentOf(upstream);
    valueOf(await cancel(scene.instance(), await insertExecution(scene.pool, upstream, 'PENDING')));
    expect(await executionsOf(scene.pool, dependent)).toEqual([]);
  });
});

describe('an execution that cannot be cancelled', () => {
  it.each(['SUCCESS', 'FAILED', 'SKIPPED'] as const)('gives its status when it is %s', async (status) => {
    const id = await insertExecution(scene.pool, await insertJob(scene.pool), status);
    const before = await everythingOf(scene.pool, id);
    expect(await cancel(scene.instance(), id)).toEqual({
      ok: false,
      errors: [
        { kind: 'ConflictError', message: `The execution is finished: it ended as ${status}.`, path: ['id'] },
      ],
    });
    expect(await everythingOf(scene.pool, id)).toEqual(before);
    expect(await count(scene.pool, 'job_audit_log')).toBe(0);
  });

  it.each(['exec_01h455vb4pex5vsknk084sn02q', 'job_01h455vb4pex5vsknk084sn02q', 'nonsense', ''])(
    'is not found by %j',
    async (id) => {
      const result = await scene.instance().commands.cancelExecution(CALLER, { id });
      expect(result).toMatchObject({ ok: false, errors: [{ kind: 'NotFoundError', path: ['id'], id }] });
    },
  );

  it('stays unchanged when the reason is too long', async () => {
    const id = await insertExecution(scene.pool, await insertJob(scene.pool), 'PENDING');
    expect(await cancel(scene.instance(), id, 'x'.repeat(1_001))).toMatchObject({
      ok: false,
      errors: [{ kind: 'ValidationError', path: ['reason'] }],
    });
    expect(await readExecution(scene.pool, id)).toMatchObject({ status: 'PENDING' });
  });
});

describe('a running execution', () => {
  it.each([{ elsewhere: false }, { elsewhere: true }])(
    'has its call aborted by the instance that runs it (cancelled elsewhere: $elsewhere)',
    async ({ elsewhere }) => {
      const [runner, other] = [scene.instance(), scene.instance()];
      scene.target.script('/slow', 'hang');
      const job = await insertJob(scene.pool, { api: `${scene.target.url}/slow`, ...RETRIES });
      const id = await trigger(runner, { id: job });
      await runner.worker.runOnce();
      await scene.target.received('/slow');
      expect(scene.target.openSockets()).toBe(1);

      const asked = elsewhere ? other : runner;
      const now = scene.clock.advance(1_000);
      valueOf(await cancel(asked, id, 'Too slow'));
      expect(asked.wakeUps.woken).toContain('cancellations');
      expect(await readExecution(scene.pool, id)).toMatchObject({
        status: 'RUNNING',
        cancel_requested_at: now,
      });
      await runner.leaseKeeper.runOnce();
      await scene.target.allSocketsClosed();
      await runner.worker.drained();

      const message = 'Cancelled while the call was under way. Reason: Too slow';
      expect(await readExecution(scene.pool, id)).toMatchObject({
        status: 'CANCELLED',
        error_message: message,
        failure_reason: null,
        lease_expires_at: null,
      });
      expect(await logLinesOf(scene.pool, id)).toMatchObject([{ level: 'WARN', message }]);
      expect(await attemptsOf(scene.pool, id)).toMatchObject([{ number: 1, failure_reason: null }]);
      expect((await auditOf(job)).map(({ action }) => action)).toEqual(['TRIGGERED', 'CANCELLED']);
      expect(scene.target.calls).toHaveLength(1);
    },
  );

  it('keeps the first reason and one audit entry, however often it is requested', async () => {
    const instance = scene.instance();
    const job = await insertJob(scene.pool);
    const id = await insertExecution(scene.pool, job, 'RUNNING');
    valueOf(await cancel(instance, id, 'First'));
    scene.clock.advance(1_000);
    valueOf(await cancel(instance, id, 'Second'));
    expect(await readExecution(scene.pool, id)).toMatchObject({
      cancel_requested_at: START,
      cancel_reason: 'First',
    });
    expect(await auditOf(job)).toHaveLength(1);
  });

  it('is not retried after a cancellation request, and its history gives the reason', async () => {
    const instance = scene.instance();
    const gate = scene.target.gate('/failing', 503);
    const job = await insertJob(scene.pool, { api: `${scene.target.url}/failing`, ...RETRIES });
    const id = await trigger(instance, { id: job });
    await instance.worker.runOnce();
    await scene.target.received('/failing');
    valueOf(await cancel(instance, id, 'Enough'));
    gate.open();
    await instance.worker.drained();
    expect(await readExecution(scene.pool, id)).toMatchObject({
      status: 'CANCELLED',
      response_status: 503,
      error_message: expect.stringMatching(/503.*not repeated.* Reason: Enough$/) as string,
    });
    expect(await attemptsOf(scene.pool, id)).toMatchObject([
      { failure_reason: 'HTTP_STATUS', error_message: expect.not.stringContaining('Reason') as string },
    ]);
  });

  it('is cancelled with its reason by the instance that rescues it', async () => {
    const instance = scene.instance();
    const id = await insertExecution(scene.pool, await insertJob(scene.pool), 'RUNNING');
    valueOf(await cancel(instance, id, 'Not needed'));
    scene.clock.set(plus(START, LEASE_MS + 1));
    await instance.rescuer.runOnce();
    expect(await readExecution(scene.pool, id)).toMatchObject({
      status: 'CANCELLED',
      error_message: expect.stringMatching(/ Reason: Not needed$/) as string,
    });
  });
});

describe('a cancellation at the same time as', () => {
  const ROUNDS = 25;
  const PER_ROUND = 6;

  /** Whatever came first, every execution has one end, published once, counted once. */
  async function expectOneEndEach(job: string): Promise<Record<string, number>> {
    const ends = ['EXECUTION_SUCCEEDED', 'EXECUTION_FAILED', 'EXECUTION_CANCELLED'];
    const { rows } = await scene.pool.query<{ status: ExecutionStatus; ends: string[]; previous: string }>(
      `SELECT e.status, array_agg(l.kind::text) AS ends, max(l.previous_status::text) AS previous
       FROM job_executions AS e LEFT JOIN event_log AS l ON l.execution_id = e.id AND l.kind::text = ANY($2)
       WHERE e.job_id = $1 GROUP BY e.id`,
      [job, ends],
    );
    const kindOf: Partial<Record<ExecutionStatus, string>> = {
      SUCCESS: 'EXECUTION_SUCCEEDED',
      CANCELLED: 'EXECUTION_CANCELLED',
    };
    for (const row of rows) expect(row.ends).toEqual([kindOf[row.status]]);
    const totals: Record<string, number> = { SUCCESS: 0, CANCELLED: 0 };
    for (const { status } of rows) totals[status] = (totals[status] ?? 0) + 1;
    const { success, cancelled } = await endCountsOf(scene.pool, job);
    expect({ SUCCESS: success, CANCELLED: cancelled }).toEqual(totals);
    return totals;
  }

  it('the end of its call leaves one end', async () => {
    const [runner, other] = [scene.instance(), scene.instance()];
    const job = await insertJob(scene.pool, { api: `${scene.target.url}/gated` });
    for (let round = 0; round < ROUNDS; round += 1) {
      const gate = scene.target.gate('/gated');
      const ids = await Promise.all(Array.from({ length: PER_ROUND }, () => trigger(runner, { id: job })));
      await runner.worker.runOnce();
      await scene.target.received('/gated', (round + 1) * PER_ROUND);
      gate.open();
      const asked = Promise.all(ids.map((id, index) => cancel(index % 2 ? runner : other, id)));
      await Promise.all([asked, runner.leaseKeeper.runOnce(), runner.worker.drained()]);
      await runner.leaseKeeper.runOnce();
      await runner.worker.drained();
    }
    const totals = await expectOneEndEach(job);
    expect((totals['SUCCESS'] ?? 0) + (totals['CANCELLED'] ?? 0)).toBe(ROUNDS * PER_ROUND);
    expect(runner.errors).toEqual([]);
  });

  it('its claim leaves one end, and no call after the cancellation', async () => {
    const [runner, other] = [scene.instance(), scene.instance()];
    const job = await insertJob(scene.pool, { api: `${scene.target.url}/quick` });
    for (let round = 0; round < ROUNDS; round += 1) {
      const ids = await Promise.all(Array.from({ length: PER_ROUND }, () => trigger(runner, { id: job })));
      await Promise.all([runner.worker.runOnce(), ...ids.map((id) => cancel(other, id))]);
      await runner.leaseKeeper.runOnce();
      await runner.work();
      await runner.leaseKeeper.runOnce();
      await runner.worker.drained();
    }
    await expectOneEndEach(job);
    expect(
      await count(
        scene.pool,
        `job_executions AS e WHERE status = 'CANCELLED' AND started_at IS NULL
         AND EXISTS (SELECT FROM all_execution_attempts WHERE execution_id = e.id)`,
      ),
    ).toBe(0);
    expect(runner.errors).toEqual([]);
  });
});
