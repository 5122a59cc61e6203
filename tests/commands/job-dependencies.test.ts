import { describe, expect, it } from 'vitest';
import {
  addJobDependency,
  type AddJobDependencyInput,
} from '../../src/commands/workflow/add-job-dependency.ts';
import type { CommandResult } from '../../src/commands/command-result.ts';
import { createJob } from '../../src/commands/jobs/create-job.ts';
import { deleteJob } from '../../src/commands/jobs/delete-job.ts';
import { removeJobDependency } from '../../src/commands/workflow/remove-job-dependency.ts';
import { MAX_DEPENDENCIES } from '../../src/domain/workflow/dependency.ts';
import { encodePublicId } from '../../src/domain/values/public-id.ts';
import { insertDependency } from '../support/dependencies.ts';
import { count, insertJob, readRow } from '../support/rows.ts';
import { CALLER, useCommandHarness, valueOf } from './harness.ts';

const harness = useCommandHarness();

const UNKNOWN = encodePublicId('Job', '01890000-0000-7000-8000-000000000000');

/** Public ids of new jobs without slots. */
async function createJobs(names: string): Promise<string[]> {
  const ids: string[] = [];
  for (const name of names) {
    const job = valueOf(await createJob(harness.deps, CALLER, { name, api: 'https://example.test/' }));
    ids.push(encodePublicId('Job', job.id));
  }
  return ids;
}

function add(
  jobId: string,
  dependsOnId: string,
  condition?: string,
): Promise<CommandResult<{ dependencyId: string }>> {
  const input: AddJobDependencyInput = {
    jobId,
    dependsOnId,
    ...(condition === undefined ? {} : { condition }),
  };
  return addJobDependency(harness.deps, CALLER, input);
}

describe('adding a dependency', () => {
  it('stores the edge, increments the version, and writes audit log and events', async () => {
    const [a = '', b = ''] = await createJobs('ab');
    harness.clock.set('2025-03-01T13:00:00.000Z');
    const { dependencyId } = valueOf(await add(b, a, 'ON_FAILURE'));
    expect(await readRow(harness.pool, 'job_dependencies', dependencyId)).toMatchObject({
      condition: 'ON_FAILURE',
      satisfied_by_execution_id: null,
      satisfied_at: null,
      created_at: new Date('2025-03-01T13:00:00.000Z'),
    });
    expect((await harness.auditEntries()).at(-1)).toMatchObject({
      action: 'DEPENDENCY_ADDED',
      actor: 'ada',
      before: null,
      after: { dependsOnId: a, condition: 'ON_FAILURE' },
      request_id: 'request-1',
    });
    expect((await harness.events()).at(-1)).toMatchObject({ kind: 'JOB_UPDATED', data: { name: 'b' } });
    const { rows } = await harness.pool.query('SELECT name, version FROM jobs ORDER BY name');
    expect(rows).toEqual([
      { name: 'a', version: 1 },
      { name: 'b', version: 2 },
    ]);
  });

  it('waits for success by default', async () => {
    const [a = '', b = ''] = await createJobs('ab');
    const { dependencyId } = valueOf(await add(b, a));
    expect(await readRow(harness.pool, 'job_dependencies', dependencyId)).toMatchObject({
      condition: 'ON_SUCCESS',
    });
  });

  it('that exists already returns it and writes nothing', async () => {
    const [a = '', b = ''] = await createJobs('ab');
    const first = valueOf(await add(b, a));
    const written = (await harness.auditEntries()).length;
    expect(valueOf(await add(b, a))).toEqual(first);
    expect(await harness.auditEntries()).toHaveLength(written);
  });

  it('that exists with another condition is a conflict', async () => {
    const [a = '', b = ''] = await createJobs('ab');
    valueOf(await add(b, a));
    expect(await add(b, a, 'ON_COMPLETION')).toMatchObject({
      ok: false,
      errors: [{ kind: 'ConflictError', path: ['condition'] }],
    });
    expect(await count(harness.pool, `job_dependencies WHERE condition = 'ON_SUCCESS'`)).toBe(1);
  });

  it('to or from an unknown or deleted job names the field', async () => {
    const [a = '', deleted = ''] = await createJobs('ab');
    valueOf(await deleteJob(harness.deps, CALLER, { id: deleted }));
    for (const [jobId, dependsOnId, field] of [
      [UNKNOWN, a, 'jobId'],
      [a, UNKNOWN, 'dependsOnId'],
      [a, deleted, 'dependsOnId'],
      ['nonsense', a, 'jobId'],
      [a, '', 'dependsOnId'],
    ] as const) {
      expect(await add(jobId, dependsOnId)).toMatchObject({
        ok: false,
        errors: [{ kind: 'NotFoundError', path: [field] }],
      });
    }
    expect(await count(harness.pool, 'job_dependencies')).toBe(0);
  });

  it('with an unknown condition gets an error with the known ones', async () => {
    const [a = '', b = ''] = await createJobs('ab');
    expect(await add(b, a, 'ON_MONDAY')).toMatchObject({
      ok: false,
      errors: [{ kind: 'ValidationError', issues: [{ path: ['condition'] }] }],
    });
  });

  it('beyond the limit is refused', async () => {
    const job = await insertJob(harness.pool);
    for (let n = 0; n < MAX_DEPENDENCIES; n += 1) {
      await insertDependency(harness.pool, job, await insertJob(harness.pool));
    }
    const [a = ''] = await createJobs('a');
    expect(await add(encodePublicId('Job', job), a)).toMatchObject({
      ok: false,
      errors: [{ kind: 'ValidationError', issues: [{ path: ['dependsOnId'] }] }],
    });
  });
});

describe('a cycle', () => {
  it('is refused with its jobs, in the order of waiting', async () => {
    const [a = '', b = '', c = ''] = await createJobs('abc');
    valueOf(await add(a, b));
    valueOf(await add(b, c));
    const before = (await harness.auditEntries()).length;
    expect(await add(c, a)).toEqual({
      ok: false,
      errors: [
        {
          kind: 'CyclicDependencyError',
          message: 'The job would wait for itself, by way of 2 others.',
          path: ['dependsOnId'],
          cycle: [c, a, b],
        },
      ],
    });
    expect(await harness.auditEntries()).toHaveLength(before);
  });

  it('is a job that waits for itself', async () => {
    const [a = ''] = await createJobs('a');
    expect(await add(a, a)).toMatchObject({
      ok: false,
      errors: [{ kind: 'CyclicDependencyError', cycle: [a] }],
    });
  });

  it('is not a diamond, and not there any more once the closing edge is removed', async () => {
    const [a = '', b = '', c = '', d = ''] = await createJobs('abcd');
    for (const [job, upstream] of [
      [b, a],
      [c, a],
      [d, b],
      [d, c],
    ] as const)
      valueOf(await add(job, upstream));
    expect((await add(a, d)).ok).toBe(false);
    valueOf(await removeJobDependency(harness.deps, CALLER, { jobId: d, dependsOnId: b }));
    expect((await add(a, d)).ok).toBe(false);
    valueOf(await removeJobDependency(harness.deps, CALLER, { jobId: d, dependsOnId: c }));
    expect((await add(a, d)).ok).toBe(true);
  });

  it('is never closed by edges that are added at the same time', async () => {
    for (let round = 0; round < 40; round += 1) {
      const ids = await createJobs('abc');
      const [a = '', b = '', c = ''] = ids;
      const attempts: [string, string][] = [
        [a, b],
        [b, c],
        [c, a],
        [b, a],
      ];
      if (round % 2 === 1) attempts.reverse();
      const results = await Promise.all(attempts.map(([job, upstream]) => add(job, upstream)));
      const edges = await edgesAmong(ids);
      expect(edges.length).toBeGreaterThanOrEqual(1);
      expect(edges.length).toBe(results.filter((result) => result.ok).length);
      expect(isAcyclic(edges)).toBe(true);
      for (const result of results) {
        if (!result.ok) expect(result.errors).toMatchObject([{ kind: 'CyclicDependencyError' }]);
      }
    }
  });
});

describe('removing a dependency', () => {
  it('deletes the edge and its satisfaction, and writes audit log and events', async () => {
    const [a = '', b = ''] = await createJobs('ab');
    valueOf(await add(b, a, 'ON_COMPLETION'));
    const job = valueOf(await removeJobDependency(harness.deps, CALLER, { jobId: b, dependsOnId: a }));
    expect(job).toMatchObject({ name: 'b', version: 3 });
    expect(await count(harness.pool, 'job_dependencies')).toBe(0);
    expect((await harness.auditEntries()).at(-1)).toMatchObject({
      action: 'DEPENDENCY_REMOVED',
      before: { dependsOnId: a, condition: 'ON_COMPLETION' },
      after: null,
    });
    expect((await harness.events()).at(-1)).toMatchObject({ kind: 'JOB_UPDATED' });
  });

  it('that is unknown gets an error that names the missing part', async () => {
    const [a = '', b = ''] = await createJobs('ab');
    valueOf(await add(b, a));
    for (const [jobId, dependsOnId, field] of [
      [a, b, 'dependsOnId'],
      [b, UNKNOWN, 'dependsOnId'],
      [b, 'nonsense', 'dependsOnId'],
      [UNKNOWN, a, 'jobId'],
    ] as const) {
      expect(await removeJobDependency(harness.deps, CALLER, { jobId, dependsOnId })).toMatchObject({
        ok: false,
        errors: [{ kind: 'NotFoundError', path: [field] }],
      });
    }
    expect(await count(harness.pool, 'job_dependencies')).toBe(1);
  });
});

describe('deleting a job', () => {
  it('removes its own dependencies, and keeps the dependencies of others on it', async () => {
    const [a = '', b = '', c = ''] = await createJobs('abc');
    valueOf(await add(b, a));
    const { dependencyId } = valueOf(await add(c, b));
    valueOf(await deleteJob(harness.deps, CALLER, { id: b }));
    const { rows } = await harness.pool.query('SELECT id FROM job_dependencies');
    expect(rows).toEqual([{ id: dependencyId }]);
    expect((await add(a, c)).ok).toBe(true);
    expect((await removeJobDependency(harness.deps, CALLER, { jobId: c, dependsOnId: b })).ok).toBe(true);
  });
});

async function edgesAmong(publicIds: readonly string[]): Promise<[string, string][]> {
  const { rows } = await harness.pool.query<{ job_id: string; depends_on_id: string }>(
    'SELECT * FROM job_dependencies',
  );
  return rows
    .map((row): [string, string] => [
      encodePublicId('Job', row.job_id),
      encodePublicId('Job', row.depends_on_id),
    ])
    .filter(([job]) => publicIds.includes(job));
}

/** Removes repeatedly the jobs that wait for nothing. A cycle remains. */
function isAcyclic(edges: readonly [string, string][]): boolean {
  let left = edges;
  for (;;) {
    const waiting = new Set(left.map(([job]) => job));
    const next = left.filter(([, upstream]) => waiting.has(upstream));
    if (next.length === left.length) return left.length === 0;
    left = next;
  }
}
