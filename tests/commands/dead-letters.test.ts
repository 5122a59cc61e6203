import { describe, expect, it } from 'vitest';
import { encodePublicId } from '../../src/domain/values/public-id.ts';
import type { DeadLettersInput } from '../../src/commands/dead-letters/dead-letter-selection.ts';
import { CALLER, DAY_MS, reference, type TestInstance, valueOf } from '../support/instance.ts';
import { START, plus } from '../support/manual-clock.ts';
import {
  count,
  eventsOf,
  insertExecution,
  insertJob,
  insertRow,
  readRow,
  RETRIES,
  type Row,
} from '../support/rows.ts';
import { useScene } from '../support/scene.ts';
import { insertJobTags } from '../support/tags.ts';

const scene = useScene();

const deadId = (id: string) => encodePublicId('DeadLetter', id);
const jobIdOf = (id: string) => encodePublicId('Job', id);

async function redriven(instance: TestInstance, input: DeadLettersInput): Promise<string[]> {
  return valueOf(await instance.commands.redriveDeadLetters(CALLER, input)).executionIds;
}

async function letterOf(id: string): Promise<Row> {
  const { rows } = await scene.pool.query<Row>('SELECT * FROM failed_jobs_dlq WHERE execution_id = $1', [id]);
  return rows[0] ?? {};
}

async function failures(job: string, n: number, overrides: Row = {}): Promise<string[]> {
  const ids: string[] = [];
  for (let index = 0; index < n; index += 1) {
    ids.push(await insertExecution(scene.pool, job, 'FAILED', { at: plus(START, index), ...overrides }));
  }
  return ids;
}

/** Creates many at once, with two statements. */
async function manyFailures(job: string, n: number): Promise<void> {
  await scene.pool.query(
    `WITH failed AS (
       INSERT INTO job_executions (id, job_id, status, trigger, created_at, available_at, started_at, finished_at,
         failure_reason)
       SELECT gen_random_uuid(), $1, 'FAILED', 'MANUAL', $2, $2, $2, $2::timestamptz + i * interval '1 ms', 'TIMEOUT'
       FROM generate_series(1, $3::int) AS i
       RETURNING id, job_id, failure_reason, finished_at)
     INSERT INTO failed_jobs_dlq (execution_id, job_id, failure_reason, failed_at) SELECT * FROM failed`,
    [job, START, n],
  );
}

describe('redriving dead letters', () => {
  it('makes a new execution of the same job, slot and body, with the job’s current policy', async () => {
    const instance = scene.instance();
    const job = await insertJob(scene.pool, { ...RETRIES, priority: 7 });
    const [failed = ''] = await failures(job, 1, {
      trigger: 'SCHEDULE',
      scheduled_at: START,
      body_override: { again: true },
      lateness_ms: 12,
    });
    const now = scene.clock.advance(60_000);
    const [id] = await redriven(instance, { ids: [deadId(failed)] });

    const { rows } = await scene.pool.query<Row>('SELECT * FROM job_executions WHERE id = $1', [id]);
    expect(rows).toMatchObject([
      {
        job_id: job,
        status: 'PENDING',
        trigger: 'REDRIVE',
        scheduled_at: START,
        created_at: now,
        available_at: now,
        redrive_of_id: failed,
        body_override: { again: true },
        priority: 7,
        host: '127.0.0.1:9',
        max_attempts: 4,
        attempt_count: 0,
        lateness_ms: null,
      },
    ]);
    expect(await letterOf(failed)).toMatchObject({ redriven_at: now, redrive_execution_id: id });
    expect(await eventsOf(scene.pool, job)).toMatchObject([
      {
        kind: 'EXECUTION_PLANNED',
        execution_id: id,
        status: 'PENDING',
        trigger: 'REDRIVE',
        scheduled_at: START,
      },
    ]);
    expect(instance.wakeUps.woken).toContain('executions');
  });

  it('calls the target with the date of the slot and its own key, and reports no lateness', async () => {
    const instance = scene.instance();
    scene.target.script('/hook', [500, 200]);
    const job = await insertJob(scene.pool, { api: `${scene.target.url}/hook` });
    const failed = await insertExecution(scene.pool, job, 'PENDING', {
      trigger: 'SCHEDULE',
      scheduled_at: START,
    });
    await instance.work();
    scene.clock.advance(3_600_000);
    const [id = ''] = await redriven(instance, { where: {} });
    await instance.work();

    const { rows } = await scene.pool.query<Row>('SELECT * FROM job_executions WHERE id = $1', [id]);
    expect(rows).toMatchObject([{ status: 'SUCCESS', lateness_ms: null }]);
    expect(scene.target.calls.map(({ headers }) => headers)).toMatchObject([
      { 'idempotency-key': encodePublicId('Execution', failed), 'x-scheduled-at': START.toISOString() },
      {
        'idempotency-key': encodePublicId('Execution', id),
        'x-scheduled-at': START.toISOString(),
        'x-attempt': '1',
      },
    ]);
  });

  it.each(['FORBID', 'QUEUE', 'REPLACE'])(
    'drops none and cancels none when executions may not overlap (%s): they wait for their turn',
    async (policy) => {
      const instance = scene.instance();
      const limited = await insertJob(scene.pool, { concurrency_policy: policy, max_concurrency: 2 });
      const free = await insertJob(scene.pool);
      const running = await insertExecution(scene.pool, limited, 'RUNNING');
      await failures(limited, 3);
      await failures(free, 3);
      await redriven(instance, { where: {} });
      const { rows } = await scene.pool.query<Row>(
        `SELECT job_id, status, count(*)::int AS n FROM job_executions WHERE trigger = 'REDRIVE'
         GROUP BY 1, 2 ORDER BY job_id = $1, status`,
        [limited],
      );
      expect(rows).toEqual([
        { job_id: free, status: 'PENDING', n: 3 },
        { job_id: limited, status: 'PENDING', n: 1 },
        { job_id: limited, status: 'BLOCKED', n: 2 },
      ]);
      expect(await readRow(scene.pool, 'job_executions', running)).toMatchObject({
        cancel_requested_at: null,
      });
      expect((await eventsOf(scene.pool, limited)).map(({ kind, status }) => [kind, status])).toEqual([
        ['EXECUTION_PLANNED', 'PENDING'],
        ['EXECUTION_PLANNED', 'BLOCKED'],
        ['EXECUTION_PLANNED', 'BLOCKED'],
      ]);
    },
  );

  it('keeps the trigger of the failed execution', async () => {
    const upstream = await insertExecution(scene.pool, await insertJob(scene.pool), 'SUCCESS');
    const [failed = ''] = await failures(await insertJob(scene.pool), 1, { trigger: 'DEPENDENCY' });
    await insertRow(scene.pool, 'job_execution_triggers', {
      execution_id: failed,
      triggered_by_id: upstream,
    });
    const [id] = await redriven(scene.instance(), { ids: [deadId(failed)] });
    expect(
      await count(scene.pool, 'job_execution_triggers WHERE execution_id = $1 AND triggered_by_id = $2', [
        id,
        upstream,
      ]),
    ).toBe(1);
  });

  it('makes exactly one execution for each of 50 when 20 callers redrive them at once in any way', async () => {
    const instances = [scene.instance(), scene.instance()];
    const [one, two] = [await insertJob(scene.pool), await insertJob(scene.pool)];
    const letters = [...(await failures(one, 25)), ...(await failures(two, 25))];
    const asked = Array.from({ length: 20 }, (_, index) => {
      const order = index % 2 ? letters : letters.toReversed();
      const byIds = { ids: order.map(deadId) };
      const byWhere = { where: { jobId: [jobIdOf(one), jobIdOf(two)] }, limit: 50 };
      return redriven(instances[index % 2] ?? scene.instance(), index % 4 < 2 ? byIds : byWhere);
    });
    const made = (await Promise.all(asked)).flat();

    expect(made).toHaveLength(50);
    expect(new Set(made).size).toBe(50);
    const { rows } = await scene.pool.query<Row>(
      `SELECT array_agg(DISTINCT redrive_of_id::text) AS originals, count(*)::int AS n
       FROM job_executions WHERE trigger = 'REDRIVE'`,
    );
    expect(rows[0]?.['n']).toBe(50);
    expect((rows[0]?.['originals'] as string[]).toSorted()).toEqual(letters.toSorted());
    expect(await count(scene.pool, `event_log WHERE kind = 'EXECUTION_PLANNED'`)).toBe(50);
    expect(
      await count(
        scene.pool,
        `failed_jobs_dlq AS d JOIN job_executions AS e ON e.id = d.redrive_execution_id AND e.redrive_of_id = d.execution_id`,
      ),
    ).toBe(50);
    const audited = await scene.pool.query<{ sum: number }>(
      `SELECT sum((after->>'count')::int)::int AS sum FROM job_audit_log WHERE action = 'REDRIVEN'`,
    );
    expect(audited.rows[0]?.sum).toBe(50);
  });

  it('skips ids that are redriven, discarded or unknown, and handles the rest', async () => {
    const instance = scene.instance();
    const [done = '', given = '', open = ''] = await failures(await insertJob(scene.pool), 3);
    await redriven(instance, { ids: [deadId(done)] });
    valueOf(await instance.commands.discardDeadLetters(CALLER, { ids: [deadId(given)] }));
    const unknown = deadId('018f0000-0000-7000-8000-000000000000');
    const ids = [done, given, open, open].map(deadId);
    expect(await redriven(instance, { ids: [...ids, unknown] })).toHaveLength(1);
    expect(await letterOf(given)).toMatchObject({ redriven_at: null });
  });

  it('skips the dead letters of deleted jobs, however many come first', async () => {
    const instance = scene.instance();
    const [gone, kept] = [await insertJob(scene.pool), await insertJob(scene.pool)];
    const orphans = await failures(gone, 3);
    const [open = ''] = await failures(kept, 1, { at: plus(START, 60_000) });
    valueOf(await instance.commands.deleteJob(CALLER, reference({ id: gone })));
    expect(await redriven(instance, { where: {}, limit: 1 })).toHaveLength(1);
    expect(await letterOf(open)).toMatchObject({ redrive_execution_id: expect.any(String) as string });
    expect(await redriven(instance, { ids: orphans.map(deadId) })).toEqual([]);
  });

  it('leaves no waiting execution of a job that is deleted at the same time', async () => {
    const [instance, other] = [scene.instance(), scene.instance()];
    for (let round = 0; round < 10; round += 1) {
      const job = await insertJob(scene.pool);
      await failures(job, 5);
      await Promise.all([
        redriven(instance, { where: { jobId: [jobIdOf(job)] } }),
        other.commands.deleteJob(CALLER, reference({ id: job })),
      ]);
      expect(await count(scene.pool, `job_executions WHERE job_id = $1 AND status = 'PENDING'`, [job])).toBe(
        0,
      );
    }
  });

  it('takes the oldest failures first, up to the limit', async () => {
    const job = await insertJob(scene.pool);
    const [first, second, third] = await failures(job, 3);
    await redriven(scene.instance(), { where: {}, limit: 2 });
    const { rows } = await scene.pool.query<{ id: string }>(
      'SELECT execution_id AS id FROM failed_jobs_dlq WHERE redriven_at IS NOT NULL',
    );
    expect(rows.map(({ id }) => id).toSorted()).toEqual([first, second].toSorted());
    expect(await letterOf(third ?? '')).toMatchObject({ redriven_at: null });
  });

  it('handles a thousand in transactions of 500, each audited per job', async () => {
    const [many, few] = [await insertJob(scene.pool), await insertJob(scene.pool)];
    await manyFailures(many, 1_100);
    await failures(few, 2, { at: plus(START, -5_000) });
    const made = await redriven(scene.instance(), { where: { open: true } });
    expect(made).toHaveLength(1_000);
    expect(await count(scene.pool, 'failed_jobs_dlq WHERE redriven_at IS NULL')).toBe(102);
    const { rows } = await scene.pool.query<Row>(
      `SELECT job_id, after->'count' AS count, jsonb_array_length(after->'deadLetterIds') AS ids,
         jsonb_array_length(after->'executionIds') AS execution_ids
       FROM job_audit_log ORDER BY after->'count', job_id`,
    );
    expect(rows).toEqual([
      { job_id: few, count: 2, ids: 2, execution_ids: 2 },
      { job_id: many, count: 498, ids: 498, execution_ids: 498 },
      { job_id: many, count: 500, ids: 500, execution_ids: 500 },
    ]);
  });

  it('is audited with each dead letter and its new execution', async () => {
    const jobs = [await insertJob(scene.pool), await insertJob(scene.pool)];
    const letters = [await failures(jobs[0] ?? '', 3), await failures(jobs[1] ?? '', 2)];
    await redriven(scene.instance(), { ids: letters.flat().map(deadId) });
    const { rows } = await scene.pool.query<{ job_id: string; after: Record<string, string[]> }>(
      `SELECT job_id, after FROM job_audit_log WHERE action = 'REDRIVEN'`,
    );
    const pairs = await scene.pool.query<{ of: string; id: string }>(
      'SELECT redrive_of_id AS of, id FROM job_executions WHERE redrive_of_id IS NOT NULL',
    );
    const becameOf = new Map(pairs.rows.map(({ of, id }) => [deadId(of), encodePublicId('Execution', id)]));
    expect(rows.map(({ job_id }) => job_id).toSorted()).toEqual(jobs.toSorted());
    for (const { job_id, after } of rows) {
      const ofJob = letters[jobs.indexOf(job_id)] ?? [];
      expect(after['deadLetterIds']?.toSorted()).toEqual(ofJob.map(deadId).toSorted());
      expect(after['executionIds']).toEqual(after['deadLetterIds']?.map((id) => becameOf.get(id)));
    }
  });

  it.each([
    { name: 'the job', where: (job: string) => ({ jobId: [jobIdOf(job)] }), expected: [0, 1, 2] },
    { name: 'ids of something else', where: (job: string) => ({ jobId: [deadId(job)] }), expected: [] },
    { name: 'the reason', where: () => ({ failureReason: ['TIMEOUT' as const] }), expected: [1] },
    { name: 'no reason', where: () => ({ failureReason: [] }), expected: [] },
    { name: 'from when', where: () => ({ failedAt: { gte: plus(START, 101) } }), expected: [1, 2] },
    { name: 'after when', where: () => ({ failedAt: { gt: plus(START, 101) } }), expected: [2] },
    { name: 'until when', where: () => ({ failedAt: { lte: plus(START, 101) } }), expected: [0, 1] },
    { name: 'before when', where: () => ({ failedAt: { lt: plus(START, 101) } }), expected: [0] },
    { name: 'any tag', where: () => ({ tags: { hasAny: ['X', 'unknown'] } }), expected: [0, 1, 2] },
    { name: 'no tag', where: () => ({ tags: { hasAny: [] } }), expected: [] },
    { name: 'all tags', where: () => ({ tags: { hasAll: ['x', 'y'] } }), expected: [0, 1, 2] },
    { name: 'a tag too many', where: () => ({ tags: { hasAll: ['x', 'z'] } }), expected: [] },
    { name: 'tags it has not', where: () => ({ tags: { hasNone: ['z'] } }), expected: [0, 1, 2] },
    { name: 'a tag it may not have', where: () => ({ tags: { hasNone: ['z', 'y'] } }), expected: [] },
    { name: 'closed ones', where: () => ({ open: false }), expected: [] },
  ])('selects by $name', async ({ where, expected }) => {
    const instance = scene.instance();
    const job = await insertJob(scene.pool);
    await insertJobTags(scene.pool, job, ['x', 'y']);
    const letters = [
      ...(await failures(job, 1)),
      ...(await failures(job, 1, { at: plus(START, 1), failure_reason: 'TIMEOUT' })),
      ...(await failures(job, 1, { at: plus(START, 2) })),
    ];
    await redriven(instance, { where: where(job) });
    const { rows } = await scene.pool.query<{ id: string }>(
      'SELECT execution_id AS id FROM failed_jobs_dlq WHERE redriven_at IS NOT NULL ORDER BY failed_at',
    );
    expect(rows.map(({ id }) => letters.indexOf(id))).toEqual(expected);
  });

  it('takes only entries that both ids and where select', async () => {
    const [one, two] = [await insertJob(scene.pool), await insertJob(scene.pool)];
    const [[first = ''], [second = '']] = [await failures(one, 1), await failures(two, 1)];
    const ids = [first, second].map(deadId);
    expect(await redriven(scene.instance(), { ids, where: { jobId: [jobIdOf(two)] } })).toHaveLength(1);
    expect(await letterOf(first)).toMatchObject({ redriven_at: null });
  });
});

describe('a command on dead letters', () => {
  const tooMany = Array.from({ length: 1_001 }, () => deadId('018f0000-0000-7000-8000-000000000000'));

  it.each([
    { name: 'neither ids nor where', input: {}, path: ['ids'] },
    { name: 'nulls for both', input: { ids: null, where: null }, path: ['ids'] },
    { name: 'a limit of 0', input: { where: {}, limit: 0 }, path: ['limit'] },
    { name: 'a limit of 1,001', input: { where: {}, limit: 1_001 }, path: ['limit'] },
    {
      name: 'an id of something else',
      input: { ids: ['exec_01h455vb4pex5vsknk084sn02q'] },
      path: ['ids', '0'],
    },
    { name: 'more than 1,000 ids', input: { ids: tooMany }, path: ['ids'] },
    { name: 'more than 1,000 jobs', input: { where: { jobId: tooMany } }, path: ['where', 'jobId'] },
    {
      name: 'more than 50 tags',
      input: { where: { tags: { hasNone: tooMany.slice(0, 51) } } },
      path: ['where', 'tags', 'hasNone'],
    },
  ])('refuses $name', async ({ input, path }) => {
    const { commands } = scene.instance();
    await failures(await insertJob(scene.pool), 1);
    for (const command of [commands.redriveDeadLetters, commands.discardDeadLetters]) {
      expect(await command(CALLER, input)).toMatchObject({
        ok: false,
        errors: [{ kind: 'ValidationError', issues: [{ path }] }],
      });
    }
    expect(
      await count(scene.pool, 'failed_jobs_dlq WHERE redriven_at IS NULL AND discarded_at IS NULL'),
    ).toBe(1);
  });
});

describe('discarding dead letters', () => {
  it('closes the open ones, returns their number, and allows retention to prune them', async () => {
    const instance = scene.instance();
    const job = await insertJob(scene.pool);
    const [first = '', second = '', third = ''] = await failures(job, 3);
    await redriven(instance, { ids: [deadId(third)] });
    const now = scene.clock.advance(1_000);
    expect(
      valueOf(
        await instance.commands.discardDeadLetters(CALLER, { ids: [first, second, third].map(deadId) }),
      ),
    ).toEqual({ matchedCount: 2, changedCount: 2 });
    expect(await letterOf(first)).toMatchObject({ discarded_at: now, redriven_at: null });
    expect(await letterOf(third)).toMatchObject({ discarded_at: null });
    const { rows } = await scene.pool.query<Row>(`SELECT * FROM job_audit_log WHERE action = 'DISCARDED'`);
    expect(rows).toMatchObject([
      {
        job_id: job,
        actor: 'test',
        before: null,
        after: { count: 2, deadLetterIds: [first, second].toSorted().map(deadId) },
      },
    ]);
    scene.clock.advance(31 * DAY_MS);
    await instance.pruner.runOnce();
    expect(await count(scene.pool, `job_executions WHERE status = 'FAILED'`)).toBe(0);
  });

  it('closes each once, however many callers ask', async () => {
    const instances = [scene.instance(), scene.instance()];
    await failures(await insertJob(scene.pool), 20);
    const results = await Promise.all(
      Array.from({ length: 8 }, async (_, index) => {
        const { commands } = instances[index % 2] ?? scene.instance();
        return valueOf(await commands.discardDeadLetters(CALLER, { where: {} }));
      }),
    );
    expect(results.reduce((sum, { changedCount }) => sum + changedCount, 0)).toBe(20);
    expect(await count(scene.pool, 'failed_jobs_dlq WHERE discarded_at IS NOT NULL')).toBe(20);
  });

  it('closes each in one way when a redrive runs at the same time', async () => {
    const [instance, other] = [scene.instance(), scene.instance()];
    await failures(await insertJob(scene.pool), 30);
    const [made, discarded] = await Promise.all([
      redriven(instance, { where: {} }),
      other.commands.discardDeadLetters(CALLER, { where: {} }),
    ]);
    expect(made.length + valueOf(discarded).changedCount).toBe(30);
    expect(await count(scene.pool, `job_executions WHERE trigger = 'REDRIVE'`)).toBe(made.length);
  });

  it('works for deleted jobs too', async () => {
    const instance = scene.instance();
    const job = await insertJob(scene.pool);
    await failures(job, 2);
    valueOf(await instance.commands.deleteJob(CALLER, reference({ id: job })));
    expect(valueOf(await instance.commands.discardDeadLetters(CALLER, { where: {} }))).toEqual({
      matchedCount: 2,
      changedCount: 2,
    });
  });
});
