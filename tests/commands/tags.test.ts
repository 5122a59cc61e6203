import { describe, expect, it } from 'vitest';
import { createJob, type CreateJobInput } from '../../src/commands/jobs/create-job.ts';
import { createTag } from '../../src/commands/tags/create-tag.ts';
import { deleteJob } from '../../src/commands/jobs/delete-job.ts';
import { deleteTag } from '../../src/commands/tags/delete-tag.ts';
import { addJobTags, removeJobTags } from '../../src/commands/tags/tag-job.ts';
import { updateJob, type UpdateJobInput } from '../../src/commands/jobs/update-job.ts';
import { updateTag } from '../../src/commands/tags/update-tag.ts';
import { encodePublicId } from '../../src/domain/values/public-id.ts';
import type { StoredJob } from '../../src/store/jobs/jobs.ts';
import { type AuditRow, CALLER, useCommandHarness, type EventRow, START, valueOf } from './harness.ts';

const harness = useCommandHarness();

const jobIdOf = ({ id }: { id: string }) => encodePublicId('Job', id);
const tagIdOf = ({ id }: { id: string }) => encodePublicId('Tag', id);

async function newJob(tags?: string[], input: Partial<CreateJobInput> = {}): Promise<StoredJob> {
  const result = await createJob(harness.deps, CALLER, {
    name: 'Report',
    api: 'https://example.test/report',
    tags,
    ...input,
  });
  return valueOf(result);
}

const update = (job: StoredJob, input: Omit<UpdateJobInput, 'id'>) =>
  updateJob(harness.deps, CALLER, { id: jobIdOf(job), ...input });
const add = (job: StoredJob, ...tags: string[]) =>
  addJobTags(harness.deps, CALLER, { jobId: jobIdOf(job), tags });
const remove = (job: StoredJob, ...tags: string[]) =>
  removeJobTags(harness.deps, CALLER, { jobId: jobIdOf(job), tags });

/** The tags of each job, read from the tables. */
async function storedTags(job: { id: string }): Promise<string[]> {
  const { rows } = await harness.pool.query<{ name: string }>(
    `SELECT t.name FROM job_tag_associations AS a JOIN job_tags AS t ON t.id = a.tag_id WHERE a.job_id = $1
     ORDER BY t.name COLLATE "C"`,
    [job.id],
  );
  return rows.map(({ name }) => name);
}

async function allTags(): Promise<unknown[]> {
  const { rows } = await harness.pool.query<{ name: string; color: string | null }>(
    'SELECT name, color FROM job_tags ORDER BY name',
  );
  return rows;
}

async function lastEntry(): Promise<AuditRow | undefined> {
  return (await harness.auditEntries()).at(-1);
}

async function lastEvent(): Promise<EventRow | undefined> {
  return (await harness.events()).at(-1);
}

describe('a job', () => {
  it('is created with tags and any unknown tags, and its event has them', async () => {
    await createTag(harness.deps, CALLER, { name: 'Known', color: '#1F6FEB' });
    const job = await newJob(['New', ' KNOWN ', 'new']);
    expect(job.tags).toEqual(['known', 'new']);
    expect(await storedTags(job)).toEqual(['known', 'new']);
    expect(await allTags()).toEqual([
      { name: 'known', color: '#1f6feb' },
      { name: 'new', color: null },
    ]);
    expect((await lastEntry())?.after).toMatchObject({ tags: ['known', 'new'] });
    expect((await lastEvent())?.data).toMatchObject({ tags: ['known', 'new'], previousTags: [] });
  });

  it('gets exactly the tags of an update, and keeps them when the update has none', async () => {
    const job = await newJob(['a', 'b']);
    const renamed = valueOf(await update(job, { name: 'Renamed' }));
    expect(renamed.tags).toEqual(['a', 'b']);
    expect((await lastEvent())?.data).not.toHaveProperty('previousTags');

    const changed = valueOf(await update(job, { tags: ['b', 'c'] }));
    expect([changed.tags, changed.version]).toEqual([['b', 'c'], 3]);
    expect(await storedTags(job)).toEqual(['b', 'c']);
    expect(await lastEntry()).toMatchObject({
      action: 'UPDATED',
      before: { tags: ['a', 'b'] },
      after: { tags: ['b', 'c'] },
    });
    expect(await lastEvent()).toMatchObject({
      kind: 'JOB_UPDATED',
      data: { previousTags: ['a', 'b'], tags: ['b', 'c'] },
    });

    expect(valueOf(await update(job, { tags: ['C', 'b'] })).version).toBe(3);
    expect(valueOf(await update(job, { tags: [] })).tags).toEqual([]);
    expect(await storedTags(job)).toEqual([]);
  });

  it.each<[string, UpdateJobInput['tags'], string[], RegExp]>([
    ['null', null, ['tags'], /May not be null/],
    ['a name that is empty', ['a', ' '], ['tags', '1'], /1 to 64/],
    ['51 names', Array.from({ length: 51 }, (_, n) => `tag ${n}`), ['tags'], /51 tags; allowed are 50/],
  ])('does not accept %s as tags', async (_what, tags, path, message) => {
    const job = await newJob(['a']);
    expect(await update(job, { tags })).toMatchObject({
      ok: false,
      errors: [{ kind: 'ValidationError', path, message: expect.stringMatching(message) as string }],
    });
    expect([await storedTags(job), (await harness.events()).length]).toEqual([['a'], 1]);
  });
});

describe('adding and removing tags', () => {
  it('changes the job, with its version, an audit entry and an event', async () => {
    const job = await newJob(['a']);
    harness.clock.set('2025-03-01T12:00:30.000Z');
    const tagged = valueOf(await add(job, 'B', 'a', 'c'));
    expect(tagged).toMatchObject({
      tags: ['a', 'b', 'c'],
      version: 2,
      updatedAt: new Date('2025-03-01T12:00:30.000Z'),
    });
    expect(await lastEntry()).toMatchObject({
      action: 'TAGGED',
      job_id: job.id,
      before: { tags: ['a'] },
      after: { tags: ['a', 'b', 'c'] },
      actor: CALLER.actor,
    });
    expect(await lastEvent()).toMatchObject({
      kind: 'JOB_UPDATED',
      job_id: job.id,
      data: { previousTags: ['a'], tags: ['a', 'b', 'c'] },
    });

    expect(valueOf(await remove(job, 'A ', 'unknown'))).toMatchObject({ tags: ['b', 'c'], version: 3 });
    expect(await lastEntry()).toMatchObject({
      action: 'UNTAGGED',
      before: { tags: ['a', 'b', 'c'] },
      after: { tags: ['b', 'c'] },
    });
    expect(await storedTags(job)).toEqual(['b', 'c']);
  });

  it('writes nothing when nothing changes, and creates no unknown tag', async () => {
    const job = await newJob(['a']);
    expect(valueOf(await add(job, 'A')).version).toBe(1);
    expect(valueOf(await add(job)).version).toBe(1);
    expect(valueOf(await remove(job, 'unknown')).version).toBe(1);
    expect([await harness.auditEntries(), await harness.events()].map((rows) => rows.length)).toEqual([1, 1]);
    expect(await allTags()).toHaveLength(1);
  });

  it('is refused when the job would have more than 50', async () => {
    const job = await newJob(Array.from({ length: 49 }, (_, n) => `tag ${n}`));
    expect(await add(job, 'x', 'y')).toMatchObject({
      ok: false,
      errors: [{ kind: 'ValidationError', path: ['tags'], message: expect.stringContaining('51') as string }],
    });
    expect(valueOf(await add(job, 'x')).tags).toHaveLength(50);
  });

  it('does not find a deleted job', async () => {
    const job = await newJob(['a']);
    valueOf(await deleteJob(harness.deps, CALLER, { id: jobIdOf(job) }));
    const errors = [{ kind: 'NotFoundError', path: ['jobId'] }];
    expect(await add(job, 'b')).toMatchObject({ ok: false, errors });
    expect(await remove(job, 'a')).toMatchObject({ ok: false, errors });
  });

  it('creates one tag when several jobs get the same name at once', async () => {
    const jobs = await Promise.all(Array.from({ length: 6 }, () => newJob()));
    const names = ['c', 'a', 'b'];
    const orders = jobs.map((_, index) => [...names.slice(index % 3), ...names.slice(0, index % 3)]);
    const results = await Promise.all(jobs.map((job, index) => add(job, ...(orders[index] ?? []))));
    expect(results.map((result) => valueOf(result).tags)).toEqual(jobs.map(() => ['a', 'b', 'c']));
    expect(await allTags()).toHaveLength(3);
  });
});

describe('a tag', () => {
  it('is created with an audit entry, once', async () => {
    const tag = valueOf(await createTag(harness.deps, CALLER, { name: ' Team  A', color: '#1F6FEB' }));
    expect(tag).toMatchObject({ name: 'team a', color: '#1f6feb' });
    expect(await harness.auditEntries()).toMatchObject([
      {
        action: 'TAG_CREATED',
        job_id: null,
        before: null,
        after: { tagId: tagIdOf(tag), name: 'team a', color: '#1f6feb' },
      },
    ]);
    expect(await createTag(harness.deps, CALLER, { name: 'TEAM A' })).toMatchObject({
      ok: false,
      errors: [{ kind: 'ConflictError', path: ['name'] }],
    });
    expect(await harness.auditEntries()).toHaveLength(1);
  });

  it('is renamed for all its jobs at once, and their versions stay', async () => {
    const job = await newJob(['a', 'b']);
    const tag = valueOf(await createTag(harness.deps, CALLER, { name: 'x' }));
    await add(job, 'x');
    const renamed = valueOf(await updateTag(harness.deps, CALLER, { id: tagIdOf(tag), name: 'Y' }));
    expect(renamed).toMatchObject({ name: 'y', color: null });
    expect(await storedTags(job)).toEqual(['a', 'b', 'y']);
    expect(valueOf(await update(job, {})).version).toBe(2);
    expect(await lastEntry()).toMatchObject({
      action: 'TAG_UPDATED',
      job_id: null,
      before: { tagId: tagIdOf(tag), name: 'x' },
      after: { tagId: tagIdOf(tag), name: 'y' },
    });
    expect(await lastEvent()).toMatchObject({
      kind: 'TAG_RENAMED',
      job_id: null,
      data: { previousTags: ['x'], tags: ['y'] },
    });
  });

  it('may change its color without an event, and an empty change writes nothing', async () => {
    const tag = valueOf(await createTag(harness.deps, CALLER, { name: 'x', color: '#000000' }));
    const change = (fields: object) => updateTag(harness.deps, CALLER, { id: tagIdOf(tag), ...fields });
    expect(valueOf(await change({ name: ' X', color: '#000000' }))).toEqual(tag);
    expect(await harness.auditEntries()).toHaveLength(1);
    expect(valueOf(await change({ color: null }))).toEqual({ ...tag, color: null });
    const changed = { tagId: tagIdOf(tag), color: null };
    expect(await lastEntry()).toMatchObject({ action: 'TAG_UPDATED', after: changed });
    expect((await lastEntry())?.after).toEqual(changed);
    expect(await harness.events()).toEqual([]);
  });

  it('refuses the name of another tag, an invalid color, and null as its name', async () => {
    const tag = valueOf(await createTag(harness.deps, CALLER, { name: 'x' }));
    await createTag(harness.deps, CALLER, { name: 'y' });
    const change = (fields: object) => updateTag(harness.deps, CALLER, { id: tagIdOf(tag), ...fields });
    expect(await change({ name: 'Y' })).toMatchObject({
      errors: [{ kind: 'ConflictError', path: ['name'] }],
    });
    expect(await change({ name: null, color: 'red' })).toMatchObject({
      errors: [{ kind: 'ValidationError', issues: [{ path: ['name'] }, { path: ['color'] }] }],
    });
    expect(await harness.auditEntries()).toHaveLength(2);
  });

  it.each(['nonsense', 'tag_01h455vb4pex5vsknk084sn02q', 'job_01h455vb4pex5vsknk084sn02q'])(
    'is not found as %s',
    async (id) => {
      const errors = [{ kind: 'NotFoundError', path: ['id'], id }];
      expect(await updateTag(harness.deps, CALLER, { id, name: 'x' })).toMatchObject({ ok: false, errors });
      expect(await deleteTag(harness.deps, CALLER, { id })).toMatchObject({ ok: false, errors });
    },
  );

  it('is deleted from each of its jobs, in chunks', async () => {
    const tag = valueOf(await createTag(harness.deps, CALLER, { name: 'x' }));
    const kept = await newJob(['x', 'y']);
    const gone = await newJob(['x']);
    valueOf(await deleteJob(harness.deps, CALLER, { id: jobIdOf(gone) }));
    await harness.pool.query(
      `WITH job AS (INSERT INTO jobs (id, name, api, created_at, updated_at)
         SELECT gen_random_uuid(), 'Many', 'http://example.test/', $1, $1 FROM generate_series(1, 500) RETURNING id)
       INSERT INTO job_tag_associations (job_id, tag_id) SELECT id, $2 FROM job`,
      [START, tag.id],
    );
    const before = (await harness.auditEntries()).length;

    expect(valueOf(await deleteTag(harness.deps, CALLER, { id: tagIdOf(tag) }))).toEqual({ id: tag.id });
    expect(await allTags()).toEqual([{ name: 'y', color: null }]);
    expect([await storedTags(kept), await storedTags(gone)]).toEqual([['y'], []]);
    const entries = (await harness.auditEntries()).slice(before);
    expect(entries.filter(({ action }) => action === 'UNTAGGED')).toHaveLength(501);
    expect(entries.find(({ job_id }) => job_id === kept.id)).toMatchObject({
      before: { tags: ['x', 'y'] },
      after: { tags: ['y'] },
    });
    expect(entries.some(({ job_id }) => job_id === gone.id)).toBe(false);
    expect(entries.at(-1)).toMatchObject({ action: 'TAG_DELETED', job_id: null, after: null });
    expect(await lastEvent()).toMatchObject({ kind: 'TAG_DELETED', data: { previousTags: ['x'], tags: [] } });
    const { rows } = await harness.pool.query<{ version: number }>('SELECT DISTINCT version FROM jobs');
    expect(rows).toEqual([{ version: 2 }]);
  });

  it('stays correct on its jobs while it is renamed, added and removed at the same time', async () => {
    const jobs = await Promise.all(Array.from({ length: 4 }, () => newJob(['x'])));
    const { rows } = await harness.pool.query<{ id: string }>('SELECT id FROM job_tags');
    const id = tagIdOf({ id: rows[0]?.id ?? '' });
    const renames = (async () => {
      for (const name of ['y', 'z', 'w']) valueOf(await updateTag(harness.deps, CALLER, { id, name }));
    })();
    const changes = jobs.map(async (job, index) => {
      for (let round = 0; round < 3; round += 1) valueOf(await add(job, `own ${index}`, `round ${round}`));
    });
    await Promise.all([renames, ...changes]);
    for (const [index, job] of jobs.entries()) {
      expect(await storedTags(job)).toEqual([`own ${index}`, 'round 0', 'round 1', 'round 2', 'w']);
    }
  });
});
