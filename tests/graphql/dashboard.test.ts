import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { SKETCH_ENTRY_RADIX, sketchBucketOf } from '../../src/domain/metrics/sketch.ts';
import { insertExecution, insertJob, insertRow } from '../support/rows.ts';
import { DASHBOARD_QUERIES } from '../support/dashboard-queries.ts';
import { createApiHarness, type ApiHarness } from './api-harness.ts';

const FEW = 4;
/** The maximum size of a page. */
const MANY = 100;

/** Each job waits for the one before it. The few and the later ones are two chains. */
const EDGES = MANY - 2;

/** What each answer contains of those many rows. */
const SHOWN: Readonly<Record<string, Readonly<Record<string, number>>>> = {
  'a page of jobs': { 'jobs.nodes': 100 },
  'the count of jobs beside a page of them': { 'jobs.nodes': 100 },
  'jobs with their tags': { 'jobs.nodes': 100, 'jobs.nodes.tags': 100 },
  'jobs with their last execution': { 'jobs.nodes': 100, 'jobs.nodes.lastExecution': 100 },
  'jobs with their metrics': {
    'jobs.nodes': 100,
    'jobs.nodes.metrics': 100,
    'jobs.nodes.metrics.executionTimeMs': 100,
    'jobs.nodes.metrics.series': 2500,
  },
  'jobs with what they wait for and what waits for them': {
    'jobs.nodes': 100,
    'jobs.nodes.dependencies': EDGES,
    'jobs.nodes.dependencies.dependsOn': EDGES,
    'jobs.nodes.dependents': EDGES,
    'jobs.nodes.dependents.job': EDGES,
  },
  'jobs with all of that': {
    'jobs.nodes': 100,
    'jobs.nodes.tags': 100,
    'jobs.nodes.lastExecution': 100,
    'jobs.nodes.metrics': 100,
    'jobs.nodes.dependencies': EDGES,
    'jobs.nodes.dependencies.dependsOn': EDGES,
    'jobs.nodes.dependents': EDGES,
    'jobs.nodes.alerts': 100,
    'jobs.nodes.alerts.events': 100,
    'jobs.nodes.upcomingRuns': 500,
    'jobs.nodes.dependents.job': EDGES,
  },
  'jobs with their latest executions': { 'jobs.nodes': 50, 'jobs.nodes.executions.nodes': 100 },
  'jobs with their last failures': { 'jobs.nodes': 100, 'jobs.nodes.executions.nodes': 100 },
  'jobs with their oldest and newest executions in words of their own': {
    'jobs.nodes': 100,
    'jobs.nodes.oldest.nodes': 200,
    'jobs.nodes.newest.nodes': 200,
  },
  'jobs with their alerts': { 'jobs.nodes': 100, 'jobs.nodes.alerts': 100, 'jobs.nodes.alerts.events': 100 },
  'jobs with where their history and their alerts begin': {
    'jobs.nodes': 100,
    'jobs.nodes.auditLog.nodes': 100,
    'jobs.nodes.alerts': 100,
    'jobs.nodes.alerts.deliveries.nodes': 100,
  },
  'tags with their oldest jobs': { 'tags.nodes': 100, 'tags.nodes.jobs.nodes': 100 },
  'jobs with their history': { 'jobs.nodes': 50, 'jobs.nodes.auditLog.nodes': 50 },
  'active jobs by name': { 'jobs.nodes': 100 },
  'executions with their job': { 'executions.nodes': 100, 'executions.nodes.job': 100 },
  'executions with their attempts': { 'executions.nodes': 100, 'executions.nodes.attempts': 100 },
  'executions with job, attempts, cause and dead letter': {
    'executions.nodes': 100,
    'executions.nodes.job': 100,
    'executions.nodes.job.tags': 100,
    'executions.nodes.attempts': 100,
    'executions.nodes.triggeredBy': 50,
    'executions.nodes.triggered': 50,
    'executions.nodes.deadLetter': 50,
    'executions.nodes.deadLetter.redriveExecution': 50,
    'executions.nodes.redriveOf': 50,
  },
  'executions with their log': { 'executions.nodes': 50, 'executions.nodes.logs.nodes': 50 },
  'failed executions of the last day': { 'executions.nodes': 100 },
  'dead letters with job and execution': {
    'deadLetters.nodes': 100,
    'deadLetters.nodes.job': 100,
    'deadLetters.nodes.execution': 100,
  },
  'tags with their jobs': { 'tags.nodes': 100, 'tags.nodes.jobs.nodes': 100 },
  'the audit log with its jobs': { 'auditLog.nodes': 100, 'auditLog.nodes.job': 100 },
  'the figures of the whole system': {
    systemMetrics: 1,
    'systemMetrics.currentLoad': 1,
    schedulerStatus: 1,
    'schedulerStatus.instances': 0,
  },
};

let api: ApiHarness;
const few = new Map<string, number>();
const many = new Map<string, number>();
/** The answer of each query, with many rows. */
const answers = new Map<string, unknown>();

beforeAll(async () => {
  api = await createApiHarness();
  await seed(0, FEW);
  await countInto(few);
  await seed(FEW, MANY);
  await countInto(many);
}, 120_000);

afterAll(() => api.close());

describe('each query of a dashboard', () => {
  it.each(DASHBOARD_QUERIES)('costs no more statements when there are more rows: %s', (what, atMost) => {
    expect(many.get(what)).toBe(few.get(what));
    expect(many.get(what)).toBeLessThanOrEqual(atMost);
  });

  it.each(DASHBOARD_QUERIES)('returns everything: %s', (what) => {
    expect(shownIn(answers.get(what))).toEqual(SHOWN[what]);
  });

  it('contains the figures of each job, read from stored counts', () => {
    const { jobs } = answers.get('jobs with their metrics') as { jobs: { nodes: { metrics: object }[] } };
    for (const { metrics } of jobs.nodes)
      expect(metrics).toMatchObject({
        successRate: 50,
        executionTimeMs: { p95: expect.closeTo(5, 0) as number },
      });
  });
});

async function countInto(counts: Map<string, number>): Promise<void> {
  for (const [what, , query] of DASHBOARD_QUERIES) {
    api.takeStatements();
    const answer = await api.execute(query);
    expect(answer.errors, what).toEqual([]);
    answers.set(what, answer.data);
    counts.set(what, api.takeStatements().filter(isWork).length);
  }
}

/** The number of list entries and objects at each place of an answer, added up per place. */
function shownIn(data: unknown): Record<string, number> {
  const shown: Record<string, number> = {};
  const count = (place: string, more: number) => (shown[place] = (shown[place] ?? 0) + more);
  const visit = (value: unknown, place: string): void => {
    if (Array.isArray(value)) {
      count(place, value.length);
      for (const each of value) visitFields(each, place);
    } else if (typeof value === 'object' && value !== null) {
      if (!('nodes' in value)) count(place, 1);
      visitFields(value, place);
    }
  };
  const visitFields = (value: unknown, place: string): void => {
    if (typeof value !== 'object' || value === null) return;
    for (const [name, part] of Object.entries(value)) visit(part, place === '' ? name : `${place}.${name}`);
  };
  visitFields(data, '');
  return shown;
}

/** A transaction around reads does not count as a statement. */
function isWork(statement: string): boolean {
  return !/^(BEGIN|COMMIT|SET)\b/.test(statement);
}

/**
 * Jobs that each have a tag, an alert, an edge, counts, an audit entry, and executions with all their dependent rows.
 */
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
    const alert = randomUUID();
    await insertRow(pool, 'job_alerts', {
      id: alert,
      job_id: job,
      channel: 'WEBHOOK',
      target: 'https://example.com/hook',
      events: ['FAILED'],
      created_at: at,
      updated_at: at,
    });
    await insertRow(pool, 'job_alert_deliveries', {
      id: randomUUID(),
      alert_id: alert,
      event: 'FAILED',
      created_at: at,
      due_at: at,
      available_at: at,
    });
    await insertRow(pool, 'job_audit_log', {
      id: randomUUID(),
      at,
      action: 'CREATED',
      actor: 'ada',
      job_id: job,
    });
    await insertRow(pool, 'job_execution_rollups', {
      job_id: job,
      bucket_minutes: 60,
      bucket_at: new Date('2025-03-01T10:00:00.000Z'),
      success_count: 1,
      failed_count: 1,
      duration_sum_ms: 10,
      duration_max_ms: 5,
      duration_sketch: [2 * SKETCH_ENTRY_RADIX + sketchBucketOf(5)],
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
}
