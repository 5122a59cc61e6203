import { randomUUID } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import type { ExecutionStatus } from '../../src/domain/execution/execution.ts';
import { EXECUTION_STATUSES } from '../../src/domain/execution/execution.ts';
import { START } from '../support/manual-clock.ts';
import { insertExecution, insertJob, insertRow, readExecution, RETRIES } from '../support/rows.ts';
import { useScene } from '../support/scene.ts';

const scene = useScene();
const AT = START.toISOString();
const ENDING_ATTEMPT = `attempt_duration_ms = 1, log_position = 1, log_level = 'INFO', log_message = 'Done.'`;

describe('an execution', () => {
  it.each(EXECUTION_STATUSES)('may stand in each status with what belongs to it: %s', async (status) => {
    const id = await insertExecution(scene.pool, await insertJob(scene.pool), status);
    expect(await readExecution(scene.pool, id)).toMatchObject({ status });
  });

  const refused: [ExecutionStatus, string, string][] = [
    ['PENDING', `lease_expires_at = '${AT}'`, 'lease_exactly_while_running'],
    ['RETRYING', `lease_expires_at = '${AT}'`, 'lease_exactly_while_running'],
    ['SUCCESS', `lease_expires_at = '${AT}'`, 'lease_exactly_while_running'],
    ['RUNNING', 'lease_expires_at = NULL', 'lease_exactly_while_running'],
    ['RUNNING', 'claimed_by = NULL', 'running_is_claimed'],
    ['RUNNING', 'started_at = NULL', 'running_is_claimed'],
    ['RUNNING', 'attempt_started_at = NULL', 'running_is_claimed'],
    ['PENDING', `status = 'RUNNING'`, 'lease_exactly_while_running'],
    ['RUNNING', `status = 'PENDING'`, 'lease_exactly_while_running'],
    ['PENDING', `finished_at = '${AT}'`, 'finished_at_exactly_when_finished'],
    ['RUNNING', `finished_at = '${AT}'`, 'finished_at_exactly_when_finished'],
    ['SUCCESS', 'finished_at = NULL', 'finished_at_exactly_when_finished'],
    ['FAILED', 'finished_at = NULL', 'finished_at_exactly_when_finished'],
    ['CANCELLED', 'finished_at = NULL', 'finished_at_exactly_when_finished'],
    ['SKIPPED', 'finished_at = NULL', 'finished_at_exactly_when_finished'],
    ['SUCCESS', 'started_at = NULL', 'success_was_started'],
    ['FAILED', 'failure_reason = NULL', 'failure_reason_exactly_when_failed'],
    ['SUCCESS', `failure_reason = 'TIMEOUT'`, 'failure_reason_exactly_when_failed'],
    ['RETRYING', `failure_reason = 'TIMEOUT'`, 'failure_reason_exactly_when_failed'],
    ['SKIPPED', 'skip_reason = NULL', 'skip_reason_exactly_when_skipped'],
    ['PENDING', `skip_reason = 'OVERLAP'`, 'skip_reason_exactly_when_skipped'],
    ['PENDING', `trigger = 'SCHEDULE'`, 'slot_of_a_schedule'],
    ['PENDING', `trigger = 'CATCH_UP'`, 'slot_of_a_schedule'],
    ['PENDING', 'attempt_count = -1', 'counts'],
    ['PENDING', 'max_attempts = 0', 'counts'],
    ['PENDING', 'slot_count = 0', 'counts'],
    ['PENDING', 'claim_seq = -1', 'counts'],
    ['PENDING', 'retry_count = -1', 'counts'],
    ['PENDING', 'rescue_count = -1', 'counts'],
    ['SUCCESS', `response_body = repeat('x', 5001)`, 'response_body_length'],
    ['SUCCESS', 'log_position = 1', 'ending_attempt'],
    ['FAILED', 'attempt_duration_ms = 1', 'ending_attempt'],
    ['RETRYING', ENDING_ATTEMPT, 'ending_attempt'],
    ['SUCCESS', `${ENDING_ATTEMPT}, attempt_count = 0`, 'ending_attempt'],
    ['SUCCESS', `${ENDING_ATTEMPT}, claimed_by = NULL`, 'ending_attempt'],
    ['PENDING', `job_id = '${randomUUID()}'`, 'job_id_fkey'],
  ];
  it.each(refused)('that is %s is never stored with %s', async (status, change, constraint) => {
    const id = await insertExecution(scene.pool, await insertJob(scene.pool), status);
    await expect(
      scene.pool.query(`UPDATE job_executions SET ${change} WHERE id = $1`, [id]),
    ).rejects.toMatchObject({ constraint: `job_executions_${constraint}` });
  });

  it('exists once per slot, whichever way the slot came about', async () => {
    const job = await insertJob(scene.pool);
    await insertExecution(scene.pool, job, 'PENDING', { trigger: 'SCHEDULE', scheduled_at: START });
    for (const trigger of ['SCHEDULE', 'CATCH_UP']) {
      await expect(
        insertExecution(scene.pool, job, 'PENDING', { trigger, scheduled_at: START }),
      ).rejects.toMatchObject({ constraint: 'job_executions_slot_unique' });
    }
    // A manual run may name the slot that it makes up for.
    await insertExecution(scene.pool, job, 'PENDING', { trigger: 'REDRIVE', scheduled_at: START });
  });

  it('exists once per idempotency key of its job', async () => {
    const [job, other] = [await insertJob(scene.pool), await insertJob(scene.pool)];
    await insertExecution(scene.pool, job, 'PENDING', { idempotency_key: 'k' });
    await insertExecution(scene.pool, other, 'PENDING', { idempotency_key: 'k' });
    await expect(insertExecution(scene.pool, job, 'PENDING', { idempotency_key: 'k' })).rejects.toMatchObject(
      { constraint: 'job_executions_idempotency_key_unique' },
    );
  });

  it('keeps its job from being removed', async () => {
    const job = await insertJob(scene.pool);
    await insertExecution(scene.pool, job, 'SUCCESS');
    await expect(scene.pool.query('DELETE FROM jobs WHERE id = $1', [job])).rejects.toMatchObject({
      constraint: 'job_executions_job_id_fkey',
    });
  });
});

describe('a job', () => {
  const paused = `status = 'PAUSED', paused_at = '${AT}'`;
  const refused: [string, string][] = [
    [`name = ''`, 'name_length'],
    [`name = repeat('x', 201)`, 'name_length'],
    [`key = ''`, 'key_length'],
    [`schedule = ''`, 'schedule_length'],
    [`schedule = '* * * * * *', run_at = '${AT}'`, 'one_kind_of_schedule'],
    [`start_at = '${AT}', end_at = '${AT}'`, 'window'],
    [`api = 'ftp://example.com/'`, 'api_is_http'],
    [`api = 'http://example.com/' || repeat('x', 2048)`, 'api_is_http'],
    [`headers = '[]'`, 'headers_are_an_object'],
    ['timeout_ms = 0', 'timeout_ms'],
    ['timeout_ms = 3600001', 'timeout_ms'],
    ['jitter_ms = -1', 'jitter_ms'],
    ['misfire_grace_ms = -1', 'misfire_grace_ms'],
    [`success_statuses = '{}'`, 'success_statuses'],
    ['max_retries = 3', 'retry_policy_whole'],
    [retryColumns({ max_retries: 101 }), 'retry_policy_range'],
    [retryColumns({ retry_jitter: 1.5 }), 'retry_policy_range'],
    [retryColumns({ initial_delay_ms: 0 }), 'retry_policy_range'],
    [`${paused}, next_run_at = '${AT}'`, 'next_run_only_when_active'],
    [`status = 'COMPLETED', next_run_at = '${AT}'`, 'next_run_only_when_active'],
    [`status = 'PAUSED'`, 'paused_at_exactly_when_paused'],
    [`paused_at = '${AT}'`, 'paused_at_exactly_when_paused'],
    [`paused_until = '${AT}'`, 'pause_facts_only_when_paused'],
    [`pause_reason = 'a break'`, 'pause_facts_only_when_paused'],
    [`status = 'DELETED'`, 'deleted_at_exactly_when_deleted'],
    [`deleted_at = '${AT}'`, 'deleted_at_exactly_when_deleted'],
    ['version = 0', 'version'],
  ];
  it.each(refused)('is never stored with %s', async (change, constraint) => {
    const id = await insertJob(scene.pool);
    await expect(scene.pool.query(`UPDATE jobs SET ${change} WHERE id = $1`, [id])).rejects.toMatchObject({
      constraint: `jobs_${constraint}`,
    });
  });

  it('has a key of its own among those that are not deleted', async () => {
    await insertJob(scene.pool, { key: 'report', status: 'DELETED', deleted_at: START });
    await insertJob(scene.pool, { key: 'report' });
    await expect(insertJob(scene.pool, { key: 'report' })).rejects.toMatchObject({
      constraint: 'jobs_key_unique',
    });
  });
});

describe('what hangs on them', () => {
  it('is an attempt with a number from 1, once', async () => {
    const execution = await insertExecution(scene.pool, await insertJob(scene.pool), 'RUNNING');
    const attempt = { started_at: START, finished_at: START, duration_ms: 0, instance_id: 'a' };
    const insert = (overrides: Record<string, unknown>) =>
      insertRow(scene.pool, 'job_execution_attempts', { execution_id: execution, ...attempt, ...overrides });
    await expect(insert({ number: 0 })).rejects.toMatchObject({
      constraint: 'job_execution_attempts_number',
    });
    await expect(insert({ number: 1, duration_ms: -1 })).rejects.toMatchObject({
      constraint: 'job_execution_attempts_duration',
    });
    await insert({ number: 1 });
    await expect(insert({ number: 1 })).rejects.toMatchObject({ constraint: 'job_execution_attempts_pkey' });
  });

  it('is a dead letter that is redriven or discarded, not both', async () => {
    const execution = await insertExecution(scene.pool, await insertJob(scene.pool), 'FAILED');
    await expect(
      scene.pool.query(
        'UPDATE failed_jobs_dlq SET redriven_at = $2, discarded_at = $2 WHERE execution_id = $1',
        [execution, START],
      ),
    ).rejects.toMatchObject({ constraint: 'failed_jobs_dlq_redriven_or_discarded' });
  });

  it('is a dependency on another job', async () => {
    const job = await insertJob(scene.pool);
    await expect(
      insertRow(scene.pool, 'job_dependencies', {
        id: randomUUID(),
        job_id: job,
        depends_on_id: job,
        created_at: START,
      }),
    ).rejects.toMatchObject({ constraint: 'job_dependencies_not_on_itself' });
  });

  it('is one state of the event log', async () => {
    await expect(
      insertRow(scene.pool, 'event_log_state', { id: 2, epoch: randomUUID() }),
    ).rejects.toMatchObject({ constraint: 'event_log_state_one_row' });
  });
});

function retryColumns(overrides: Record<string, number>): string {
  return Object.entries({ ...RETRIES, ...overrides })
    .filter(([column]) => column !== 'retry_on')
    .map(([column, value]) => `${column} = '${String(value)}'`)
    .join(', ');
}
