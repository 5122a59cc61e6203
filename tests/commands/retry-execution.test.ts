import { describe, expect, it } from 'vitest';
import { encodePublicId } from '../../src/domain/values/public-id.ts';
import { CALLER, reference, type TestInstance, valueOf } from '../support/instance.ts';
import { START } from '../support/manual-clock.ts';
import { count, eventsOf, insertExecution, insertJob, readExecution, type Row } from '../support/rows.ts';
import { useScene } from '../support/scene.ts';

const scene = useScene();

const execId = (id: string) => encodePublicId('Execution', id);

function retry({ commands }: Pick<TestInstance, 'commands'>, id: string) {
  return commands.retryExecution(CALLER, { id: execId(id) });
}

describe('retrying an execution', () => {
  it.each(['SUCCESS', 'CANCELLED', 'SKIPPED', 'FAILED'] as const)(
    'that ended as %s makes a new one and keeps the old one unchanged',
    async (status) => {
      const instance = scene.instance();
      const job = await insertJob(scene.pool);
      const id = await insertExecution(scene.pool, job, status, {
        trigger: 'SCHEDULE',
        scheduled_at: START,
        body_override: { kept: true },
      });
      const before = await readExecution(scene.pool, id);
      const now = scene.clock.advance(1_000);
      const { executionId } = valueOf(await retry(instance, id));
      expect(await readExecution(scene.pool, executionId)).toMatchObject({
        job_id: job,
        status: 'PENDING',
        trigger: 'REDRIVE',
        scheduled_at: START,
        created_at: now,
        redrive_of_id: id,
        body_override: { kept: true },
      });
      expect(await readExecution(scene.pool, id)).toEqual(before);
      expect(await eventsOf(scene.pool, job)).toMatchObject([
        { kind: 'EXECUTION_PLANNED', execution_id: executionId, trigger: 'REDRIVE', at: now },
      ]);
      const { rows } = await scene.pool.query<Row>('SELECT * FROM job_audit_log');
      expect(rows).toMatchObject([
        {
          action: 'REDRIVEN',
          job_id: job,
          before: { executionId: execId(id), status },
          after: { executionId: execId(executionId) },
        },
      ]);
      await instance.work();
      expect(await readExecution(scene.pool, executionId)).toMatchObject({ attempt_count: 1 });
    },
  );

  it('redrives the dead letter of a failed one, once, however many callers ask', async () => {
    const [instance, other] = [scene.instance(), scene.instance()];
    const id = await insertExecution(scene.pool, await insertJob(scene.pool), 'FAILED');
    const results = await Promise.all(
      Array.from({ length: 10 }, (_, index) => retry(index % 2 ? instance : other, id)),
    );
    const made = results.flatMap((result) => (result.ok ? [result.value.executionId] : []));
    expect(made).toHaveLength(1);
    const refusals = results.flatMap((result) => (result.ok ? [] : result.errors));
    expect(refusals).toHaveLength(9);
    for (const refusal of refusals) {
      expect(refusal).toMatchObject({
        kind: 'ConflictError',
        message: expect.stringContaining(execId(made[0] ?? '')) as string,
        path: ['id'],
      });
    }
    const { rows } = await scene.pool.query<Row>('SELECT * FROM failed_jobs_dlq');
    expect(rows).toMatchObject([{ redriven_at: START, redrive_execution_id: made[0] }]);
    expect(await count(scene.pool, `job_executions WHERE trigger = 'REDRIVE'`)).toBe(1);
  });

  it('runs once when it meets a redrive of the queue', async () => {
    const [instance, other] = [scene.instance(), scene.instance()];
    for (let round = 0; round < 10; round += 1) {
      const id = await insertExecution(scene.pool, await insertJob(scene.pool), 'FAILED');
      const ids = [encodePublicId('DeadLetter', id)];
      await Promise.all([retry(instance, id), other.commands.redriveDeadLetters(CALLER, { ids })]);
      expect(await count(scene.pool, 'job_executions WHERE redrive_of_id = $1', [id])).toBe(1);
    }
  });

  it('may be repeated for one that did not fail, and for one whose dead letter was discarded', async () => {
    const instance = scene.instance();
    const job = await insertJob(scene.pool);
    const succeeded = await insertExecution(scene.pool, job, 'SUCCESS');
    const discarded = await insertExecution(scene.pool, job, 'FAILED');
    valueOf(await instance.commands.discardDeadLetters(CALLER, { where: {} }));
    for (const id of [succeeded, discarded]) {
      valueOf(await retry(instance, id));
      valueOf(await retry(instance, id));
      expect(await count(scene.pool, 'job_executions WHERE redrive_of_id = $1', [id])).toBe(2);
    }
    expect(await count(scene.pool, 'failed_jobs_dlq WHERE redriven_at IS NOT NULL')).toBe(0);
  });

  it.each(['PENDING', 'BLOCKED', 'RUNNING', 'RETRYING'] as const)(
    'is refused while it is %s',
    async (status) => {
      const id = await insertExecution(scene.pool, await insertJob(scene.pool), status);
      expect(await retry(scene.instance(), id)).toEqual({
        ok: false,
        errors: [
          {
            kind: 'ConflictError',
            message: `The execution is ${status}; only a finished one can be retried.`,
            path: ['id'],
          },
        ],
      });
      expect(await count(scene.pool, 'job_executions')).toBe(1);
    },
  );

  it('is refused when the job was deleted', async () => {
    const instance = scene.instance();
    const job = await insertJob(scene.pool);
    const id = await insertExecution(scene.pool, job, 'FAILED');
    valueOf(await instance.commands.deleteJob(CALLER, reference({ id: job })));
    expect(await retry(instance, id)).toMatchObject({ ok: false, errors: [{ kind: 'ConflictError' }] });
  });

  it.each(['exec_01h455vb4pex5vsknk084sn02q', 'dead_01h455vb4pex5vsknk084sn02q', '%'])(
    'finds none by %j',
    async (id) => {
      expect(await scene.instance().commands.retryExecution(CALLER, { id })).toMatchObject({
        ok: false,
        errors: [{ kind: 'NotFoundError', id, path: ['id'] }],
      });
    },
  );
});
