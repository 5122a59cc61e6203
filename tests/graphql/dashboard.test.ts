import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { encodePublicId } from '../../src/domain/public-id.ts';
import { insertExecution, insertJob, insertRow } from '../support/rows.ts';
import { DASHBOARD_QUERIES } from '../support/dashboard-queries.ts';
import { createApiHarness, type ApiHarness } from './api-harness.ts';

const FEW = 4;
const MANY = 60;

let api: ApiHarness;
const few = new Map<string, number>();
const many = new Map<string, number>();

beforeAll(async () => {
  api = await createApiHarness();
  await seed(0, FEW);
  await countInto(few);
  await seed(FEW, MANY);
  await countInto(many);
}, 120_000);

afterAll(() => api.close());

describe('what a dashboard asks for', () => {
  it.each(DASHBOARD_QUERIES)('costs no more statements the more rows there are: %s', (what, atMost) => {
    expect(many.get(what)).toBe(few.get(what));
    expect(many.get(what)).toBeLessThanOrEqual(atMost);
  });
});

async function countInto(counts: Map<string, number>): Promise<void> {
  for (const [what, , query] of DASHBOARD_QUERIES) {
    api.takeStatements();
    const answer = await api.execute(query);
    expect(answer.errors, what).toEqual([]);
    counts.set(what, api.takeStatements().filter(isWork).length);
  }
}

/** A transaction around reads is no work of its own. */
function isWork(statement: string): boolean {
  return !/^(BEGIN|COMMIT|SET)\b/.test(statement);
}

/** Jobs of which each has a tag, an alert, an edge, an entry in the audit log, and executions with all that hangs on them. */
async function seed(from: number, to: number): Promise<void> {
  const { pool } = api;
  let previous: string | null = null;
  for (let n = from; n < to; n += 1) {
    const at = new Date(Date.parse('2025-03-01T10:00:00.000Z') + n * 1_000);
    const job = await insertJob(pool, {
      name: `A job ${n}`,
      schedule: '0 0 * * * *',
      next_run_at: new Date('2025-03-01T13:00:00.000Z'),
      created_at: at,
      updated_at: at,
    });
    const tag = await insertRow(pool, 'job_tags', { id: randomUUID(), name: `tag-${n}`, created_at: at });
    await insertRow(pool, 'job_tag_associations', { job_id: job, tag_id: tag['id'] });
    await insertRow(pool, 'job_alerts', {
      id: randomUUID(),
      job_id: job,
      channel: 'WEBHOOK',
      target: 'https://example.com/hook',
      events: ['FAILED'],
      created_at: at,
      updated_at: at,
    });
    await insertRow(pool, 'job_audit_log', {
      id: randomUUID(),
      at,
      action: 'CREATED',
      actor: 'ada',
      job_id: job,
    });
    if (previous !== null)
      await insertRow(pool, 'job_dependencies', {
        id: randomUUID(),
        job_id: job,
        depends_on_id: previous,
        created_at: at,
      });
    const failed = await insertExecution(pool, job, 'FAILED', { at });
    const redriven = await insertExecution(pool, job, 'SUCCESS', { at, redrive_of_id: failed });
    await pool.query('UPDATE failed_jobs_dlq SET redrive_execution_id = $2 WHERE execution_id = $1', [
      failed,
      redriven,
    ]);
    await insertRow(pool, 'job_execution_triggers', { execution_id: redriven, triggered_by_id: failed });
    for (const execution of [failed, redriven]) {
      await insertRow(pool, 'job_execution_attempts', {
        execution_id: execution,
        number: 1,
        started_at: at,
        finished_at: at,
        duration_ms: 5,
        instance_id: 'an-instance',
      });
      await insertRow(pool, 'job_execution_logs', {
        execution_id: execution,
        position: 2 * n + (execution === failed ? 1 : 2),
        at,
        level: 'INFO',
        message: 'Answered.',
      });
    }
    previous = job;
  }
  expect(encodePublicId('Job', previous ?? '')).toMatch(/^job_/);
}
