import { randomUUID } from 'node:crypto';
import fc from 'fast-check';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { encodePublicId } from '../../src/domain/values/public-id.ts';
import { clearJobs } from '../commands/harness.ts';
import { insertExecution, insertJob, insertRow } from '../support/rows.ts';
import { insertJobTags } from '../support/tags.ts';
import { type ApiHarness, createApiHarness } from './api-harness.ts';
import { flatWheres, leaf, type ModelRow, modelRow, selected, sorted, type Where } from './list-model.ts';
import { idsOf, type Walk, walkList } from './walk-list.ts';

let api: ApiHarness;
/** UUID and public id of two jobs. One of them has a tag. */
let jobs: { uuid: string; id: string; tags: string[] }[];
let rows: ModelRow[];

beforeAll(async () => {
  api = await createApiHarness();
});
afterAll(async () => {
  await api.close();
});
beforeEach(async () => {
  await clearJobs(api.pool);
  jobs = [];
  rows = [];
  for (const tags of [[], ['x', 'y']]) {
    const uuid = await insertJob(api.pool);
    await insertJobTags(api.pool, uuid, tags);
    jobs.push({ uuid, id: encodePublicId('Job', uuid), tags });
  }
});

const at = (n: number) => new Date(Date.UTC(2025, 0, 1 + n));
const INSTANTS = [-1, 0, 1, 2, 3, 9].map((n) => at(n).toISOString());
const jobIds = () => [...jobs.map(({ id }) => id), 'nonsense'];
const pages = () => [fc.integer({ min: 1, max: 25 }), fc.boolean()] as const;

/** Few distinct values, so many rows are equal. */
async function newDeadLetter(index: number): Promise<ModelRow> {
  const { uuid, id, tags } = jobs[index % 2] ?? { uuid: '', id: '', tags: [] };
  const failureReason = index % 3 === 0 ? 'TIMEOUT' : 'HTTP_STATUS';
  const failedAt = at(index % 4);
  const executionId = await insertExecution(api.pool, uuid, 'FAILED', {
    at: failedAt,
    finished_at: failedAt,
    failure_reason: failureReason,
  });
  const open = index % 5 > 1;
  const end = index % 5 === 0 ? 'redriven_at' : 'discarded_at';
  if (!open)
    await api.pool.query(`UPDATE failed_jobs_dlq SET ${end} = failed_at WHERE execution_id = $1`, [
      executionId,
    ]);
  return modelRow(encodePublicId('DeadLetter', executionId), {
    jobId: id,
    failureReason,
    failedAt,
    open,
    tags,
  });
}

const ACTIONS = ['CREATED', 'UPDATED', 'TRIGGERED'];
const ACTORS = ['ada', 'adam', 'a_b', '50%'];

async function newAuditEntry(index: number): Promise<ModelRow> {
  const job = index % 3 === 2 ? null : jobs[index % 3];
  const facts = { action: ACTIONS[index % 3] ?? '', actor: ACTORS[index % 4] ?? '', at: at(index % 5) };
  const id = randomUUID();
  await insertRow(api.pool, 'job_audit_log', { id, job_id: job?.uuid ?? null, ...facts });
  return modelRow(encodePublicId('AuditLogEntry', id), { ...facts, jobId: job?.id ?? null });
}

const DEAD_LETTERS = {
  list: 'deadLetters',
  field: 'FAILED_AT',
  insert: newDeadLetter,
  wheres: () =>
    flatWheres([
      leaf.list('jobId', jobIds()),
      leaf.list('failureReason', ['TIMEOUT', 'HTTP_STATUS', 'DNS']),
      leaf.instant('failedAt', INSTANTS),
      leaf.flag('open'),
      leaf.tags(['x', ' Y', 'unused', '']),
    ]),
} as const;

const AUDIT_LOG = {
  list: 'auditLog',
  field: 'AT',
  insert: newAuditEntry,
  wheres: () =>
    flatWheres([
      leaf.list('jobId', jobIds()),
      leaf.list('action', [...ACTIONS, 'DELETED']),
      leaf.text('actor', [...ACTORS, 'a', '%', '_', '']),
      leaf.instant('at', INSTANTS),
    ]),
} as const;

describe.each([DEAD_LETTERS, AUDIT_LOG])('pages of $list', ({ list, field, insert, wheres }) => {
  const newestFirst = (some: readonly ModelRow[]) => idsOf(sorted(some, [{ field, direction: 'DESC' }]));
  const walk = (rest: Pick<Walk, 'where' | 'size' | 'forward'>, between?: () => Promise<void>) =>
    walkList(api, { list, ...rest }, between);

  beforeEach(async () => {
    for (let index = 0; index < 22; index += 1) rows.push(await insert(index));
  });

  it('contain the rows of a simple filter, newest first, forwards and backwards, for any size', async () => {
    await fc.assert(
      fc.asyncProperty(wheres(), ...pages(), async (where: Where, size, forward) => {
        const expected = newestFirst(selected(rows, where));
        expect(await walk({ where, size, forward })).toEqual({ ids: expected, totalCount: expected.length });
      }),
      { numRuns: 30 },
    );
  });

  it('lose and repeat nothing while rows are added between them', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 6 }),
        fc.boolean(),
        fc.array(fc.nat(100), { minLength: 1, maxLength: 6 }),
        async (size, forward, comers) => {
          const numbers = [...comers];
          const before = [...rows];
          const { ids } = await walk({ where: {}, size, forward }, async () => {
            const number = numbers.pop();
            if (number !== undefined) rows.push(await insert(number));
          });
          const wasThere = new Set(idsOf(before));
          expect(ids.filter((id) => wasThere.has(id))).toEqual(newestFirst(before));
          // The walk sees rows that were added ahead of it, in their place.
          expect(ids).toEqual(newestFirst(rows).filter((id) => ids.includes(id)));
        },
      ),
      { numRuns: 10 },
    );
  });
});
