import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Condition, type FieldValue, matches, type Test } from '../../../src/domain/values/condition.ts';
import type { ExecutionField } from '../../../src/domain/execution/filter-fields.ts';
import { conditionSql } from '../../../src/store/statements/condition-sql.ts';
import { EXECUTION_COLUMNS } from '../../../src/store/executions/filter-columns.ts';
import { plus, START } from '../../support/manual-clock.ts';
import { insertExecution, insertJob } from '../../support/rows.ts';
import { useScene } from '../../support/scene.ts';
import { insertJobTags } from '../../support/tags.ts';

const scene = useScene();

const INSTANTS = [0, 1, 100, 2_000].map((ms) => plus(START, ms));
const TEXTS = ['Status 500.', 'Status', '50%', '_', ''];
const TAGS = ['prod', 'team a', 'nobody'];

describe('a condition as SQL', () => {
  it('selects what it selects of the same rows in memory', async () => {
    const { jobs, rows } = await insertRows();
    const ids = rows.map((row) => row.id as string);
    await fc.assert(
      fc.asyncProperty(conditions([...jobs, ...ids]), async (condition) => {
        const values: unknown[] = [];
        const where = conditionSql(condition, EXECUTION_COLUMNS, values);
        const { rows: found } = await scene.pool.query<{ id: string }>({
          text: `SELECT id FROM job_executions AS e WHERE ${where} ORDER BY id`,
          values,
        });
        const expected = rows.filter((row) => matches(condition, (field) => row[field]));
        expect(found.map(({ id }) => id)).toEqual(expected.map(({ id }) => id).toSorted());
      }),
      { numRuns: 200 },
    );
  });
});

function conditions(ids: string[]): fc.Arbitrary<Condition<ExecutionField>> {
  const of = (field: ExecutionField, test: fc.Arbitrary<Test>) =>
    test.map((asked): Condition<ExecutionField> => ({ kind: 'test', field, test: asked }));
  const among = (...values: (string | number)[]) =>
    fc.subarray(values).map((chosen): Test => ({ op: 'in', values: chosen }));
  const beside = (bound: fc.Arbitrary<number | Date>) =>
    fc.record({ op: fc.constantFrom('gt', 'gte', 'lt', 'lte'), bound });
  const text = fc.record({ op: fc.constantFrom('contains', 'startsWith'), text: fc.constantFrom(...TEXTS) });
  const tests = fc.oneof(
    of('id', among(...ids)),
    of('jobId', among(...ids)),
    of('status', among('SUCCESS', 'FAILED', 'SKIPPED', 'PENDING', 'RUNNING')),
    of('failureReason', among('HTTP_STATUS', 'TIMEOUT')),
    of(
      'tags',
      fc.subarray(TAGS).map((names): Test => ({ op: 'hasAny', names })),
    ),
    of('finishedAt', beside(fc.constantFrom(...INSTANTS))),
    of('createdAt', beside(fc.constantFrom(...INSTANTS))),
    of('responseStatus', beside(fc.integer({ min: 199, max: 501 }))),
    of('errorMessage', text),
    of('instanceId', among('another-instance', 'nobody')),
  );
  const { condition } = fc.letrec<{ condition: Condition<ExecutionField> }>((tie) => ({
    condition: fc.oneof(
      { maxDepth: 3 },
      tests,
      tie('condition').map((one): Condition<ExecutionField> => ({ kind: 'not', of: one })),
      fc.record({
        kind: fc.constantFrom('all' as const, 'any' as const),
        of: fc.array(tie('condition'), { maxLength: 3 }),
      }),
    ),
  }));
  return condition;
}

type ModelRow = Partial<Record<ExecutionField, FieldValue>>;

async function insertRows(): Promise<{ jobs: string[]; rows: ModelRow[] }> {
  const tagged = await insertJob(scene.pool);
  const plain = await insertJob(scene.pool);
  await insertJobTags(scene.pool, tagged, ['prod', 'team a']);
  for (const [index, job] of [tagged, plain, plain].entries()) {
    const at = INSTANTS[index] ?? START;
    for (const status of ['SUCCESS', 'FAILED', 'PENDING', 'RETRYING', 'SKIPPED'] as const) {
      await insertExecution(scene.pool, job, status, { at });
    }
  }
  await insertExecution(scene.pool, tagged, 'FAILED', {
    error_message: 'Under 50%_',
    failure_reason: 'TIMEOUT',
  });
  const { rows } = await scene.pool.query<ModelRow & Record<string, unknown>>(
    `SELECT id, job_id AS "jobId", status, failure_reason AS "failureReason", finished_at AS "finishedAt",
       created_at AS "createdAt", response_status AS "responseStatus", error_message AS "errorMessage",
       claimed_by AS "instanceId", CASE WHEN job_id = $1 THEN '{prod,team a}' ELSE '{}' END::text[] AS tags
     FROM job_executions ORDER BY id`,
    [tagged],
  );
  return { jobs: [tagged, plain], rows };
}
