import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { encodePublicId } from '../../src/domain/public-id.ts';
import { insertExecution, insertJob, insertRow } from '../support/rows.ts';
import { createApiHarness, type ApiHarness } from './api-harness.ts';

/** What a dashboard asks for, each with the statements that it may cost, however many rows there are. */
const QUERIES: readonly [what: string, atMost: number, query: string][] = [
  ['a page of jobs', 1, '{ jobs(first: 100) { nodes { id name status schedule nextRunAt } } }'],
  ['the count of jobs beside a page of them', 2, '{ jobs(first: 100) { totalCount nodes { id } } }'],
  ['jobs with their tags', 3, '{ jobs(first: 100) { nodes { id tags { id name color } } } }'],
  [
    'jobs with their last execution',
    3,
    '{ jobs(first: 100) { nodes { id lastExecution { id status durationMs errorMessage } } } }',
  ],
  [
    'jobs with their metrics',
    3,
    '{ jobs(first: 100) { nodes { id metrics(window: LAST_24H) { successRate executionTimeMs { p95 } series { success failed } } } } }',
  ],
  [
    'jobs with what they wait for and what waits for them',
    5,
    '{ jobs(first: 100) { nodes { id dependencies { condition dependsOn { id name } } dependents { job { id name } } } } }',
  ],
  [
    'jobs with all of that',
    13,
    `{ jobs(first: 100) { totalCount nodes { id name tags { name } lastExecution { id status } metrics { successRate }
       dependencies { dependsOn { name } } dependents { job { name } } alerts { channel events } upcomingRuns } } }`,
  ],
  [
    'jobs with their latest executions',
    3,
    '{ jobs(first: 50) { nodes { id executions(first: 5) { nodes { id status } } } } }',
  ],
  ['jobs with their alerts', 2, '{ jobs(first: 100) { nodes { id alerts { id channel target events } } } }'],
  [
    'jobs with their history',
    3,
    '{ jobs(first: 50) { nodes { id auditLog(first: 3) { nodes { action actor } } } } }',
  ],
  [
    'active jobs by name',
    1,
    '{ jobs(first: 100, where: { status: [ACTIVE], name: { contains: "job" } }, orderBy: [{ field: NAME, direction: ASC }]) { nodes { id } } }',
  ],
  ['executions with their job', 2, '{ executions(first: 100) { nodes { id status job { id name } } } }'],
  [
    'executions with their attempts',
    2,
    '{ executions(first: 100) { nodes { id attempts { number responseStatus durationMs } } } }',
  ],
  [
    'executions with job, attempts, cause and dead letter',
    13,
    `{ executions(first: 100) { totalCount nodes { id job { name tags { name } } attempts { number } triggeredBy { id }
       triggered { id } redriveOf { id } deadLetter { id redriveExecution { id } } } } }`,
  ],
  [
    'executions with their log',
    2,
    '{ executions(first: 50) { nodes { id logs(first: 5) { nodes { message } } } } }',
  ],
  [
    'failed executions of the last day',
    1,
    '{ executions(first: 100, where: { status: [FAILED], createdAt: { gte: "2025-02-28T12:00:00.000Z" } }) { nodes { id } } }',
  ],
  [
    'dead letters with job and execution',
    4,
    '{ deadLetters(first: 100, where: { open: true }) { totalCount nodes { id job { name } execution { id responseStatus } } } }',
  ],
  ['tags with their jobs', 3, '{ tags(first: 100) { nodes { id name jobs(first: 5) { nodes { id } } } } }'],
  [
    'the audit log with its jobs',
    2,
    '{ auditLog(first: 100) { nodes { action actor before after job { name } } } }',
  ],
  [
    'the figures of the whole system',
    8,
    `{ systemMetrics { totalJobs activeJobs totalExecutions successRate executionsLast24h
       currentLoad { pendingExecutions runningExecutions } latenessMs { p99 } deadLetters }
       schedulerStatus { dueJobs nextRunAt instances { instanceId alive } } }`,
  ],
];

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
  it.each(QUERIES)('costs no more statements the more rows there are: %s', (what, atMost) => {
    expect(many.get(what)).toBe(few.get(what));
    expect(many.get(what)).toBeLessThanOrEqual(atMost);
  });
});

async function countInto(counts: Map<string, number>): Promise<void> {
  for (const [what, , query] of QUERIES) {
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
