import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { encodePublicId } from '../../src/domain/values/public-id.ts';
import { clearJobs, START } from '../commands/harness.ts';
import { insertDependency } from '../support/dependencies.ts';
import { insertExecution, insertJob, insertRow } from '../support/rows.ts';
import { type ApiHarness, createApiHarness } from './api-harness.ts';

let api: ApiHarness;

beforeAll(async () => {
  api = await createApiHarness();
});
afterAll(async () => {
  await api.close();
});
beforeEach(async () => {
  api.clock.set(START);
  await clearJobs(api.pool);
});

const job = (uuid: string) => encodePublicId('Job', uuid);
const ADD = /* GraphQL */ `
  mutation ($input: AddJobDependencyInput!) {
    addJobDependency(input: $input) {
      dependency {
        id
        condition
        satisfiedAt
        job {
          id
        }
        dependsOn {
          id
        }
      }
      errors {
        __typename
        code
        path
        ... on CyclicDependencyError {
          cycle
        }
      }
    }
  }
`;
interface Added {
  addJobDependency: { dependency: { id: string } | null; errors: Record<string, unknown>[] };
}

describe('a dependency', () => {
  it('is added, read from both of its ends and as a node, and removed', async () => {
    const [a, b] = [await insertJob(api.pool), await insertJob(api.pool)];
    const { addJobDependency } = await api.query<Added>(ADD, {
      input: { jobId: job(b), dependsOnId: job(a) },
    });
    expect(addJobDependency).toEqual({
      dependency: {
        id: expect.stringMatching(/^dep_[0-9a-z]{26}$/) as string,
        condition: 'ON_SUCCESS',
        satisfiedAt: null,
        job: { id: job(b) },
        dependsOn: { id: job(a) },
      },
      errors: [],
    });
    const id = addJobDependency.dependency?.id;
    const read = await api.query(
      /* GraphQL */ `
        query ($id: ID!, $a: ID!, $b: ID!) {
          node(id: $id) {
            id
            ... on JobDependency {
              job {
                id
              }
            }
          }
          upstream: job(id: $a) {
            dependencies {
              id
            }
            dependents {
              id
              job {
                id
              }
            }
          }
          downstream: job(id: $b) {
            dependencies {
              id
              dependsOn {
                id
              }
            }
            dependents {
              id
            }
          }
        }
      `,
      { id, a: job(a), b: job(b) },
    );
    expect(read).toEqual({
      node: { id, job: { id: job(b) } },
      upstream: { dependencies: [], dependents: [{ id, job: { id: job(b) } }] },
      downstream: { dependencies: [{ id, dependsOn: { id: job(a) } }], dependents: [] },
    });

    const removed = await api.query(
      `mutation ($input: RemoveJobDependencyInput!) {
        removeJobDependency(input: $input) { job { id dependencies { id } } errors { code path } }
      }`,
      { input: { jobId: job(b), dependsOnId: job(a) } },
    );
    expect(removed).toEqual({ removeJobDependency: { job: { id: job(b), dependencies: [] }, errors: [] } });
  });

  it('that would close a cycle is refused with the cycle', async () => {
    const [a, b] = [await insertJob(api.pool), await insertJob(api.pool)];
    await insertDependency(api.pool, a, b);
    const answer = await api.query<Added>(ADD, {
      input: { jobId: job(b), dependsOnId: job(a), condition: 'ON_COMPLETION' },
    });
    expect(answer.addJobDependency).toEqual({
      dependency: null,
      errors: [
        {
          __typename: 'CyclicDependencyError',
          code: 'CYCLIC_DEPENDENCY',
          path: ['dependsOnId'],
          cycle: [job(b), job(a)],
        },
      ],
    });
  });

  it('costs a fixed number of statements, however many jobs and executions are listed', async () => {
    const measure = async () => {
      api.takeStatements();
      await api.query(/* GraphQL */ `
        {
          jobs(first: 100) {
            nodes {
              dependencies {
                condition
                dependsOn {
                  name
                }
              }
              dependents {
                job {
                  name
                }
              }
            }
          }
          executions(first: 100) {
            nodes {
              triggeredBy {
                id
                status
              }
              triggered {
                id
                job {
                  name
                }
              }
            }
          }
        }
      `);
      return api.takeStatements().length;
    };
    await insertChain(2);
    const few = await measure();
    await insertChain(30);
    expect(await measure()).toBe(few);
  });
});

describe('an execution', () => {
  it('shows what triggered it and what it triggered', async () => {
    const [first = '', second = ''] = await insertChain(2);
    const triggers = await api.query(
      `query ($first: ID!, $second: ID!) {
        first: execution(id: $first) { triggeredBy { id } triggered { id trigger } }
        second: execution(id: $second) { triggeredBy { id responseBody job { id } } triggered { id } }
      }`,
      { first, second },
    );
    expect(triggers).toMatchObject({
      first: { triggeredBy: [], triggered: [{ id: second, trigger: 'DEPENDENCY' }] },
      second: { triggeredBy: [{ id: first, responseBody: 'ok' }], triggered: [] },
    });
  });
});

/** Jobs that each wait for the one before, with an execution each. Returns the executions' public ids. */
async function insertChain(length: number): Promise<string[]> {
  const executions: string[] = [];
  let upstream: { job: string; execution: string } | undefined;
  for (let n = 0; n < length; n += 1) {
    const jobId = await insertJob(api.pool);
    const trigger = upstream ? 'DEPENDENCY' : 'MANUAL';
    const execution = await insertExecution(api.pool, jobId, 'SUCCESS', { trigger });
    if (upstream) {
      await insertDependency(api.pool, jobId, upstream.job);
      await insertRow(api.pool, 'job_execution_triggers', {
        execution_id: execution,
        triggered_by_id: upstream.execution,
      });
    }
    upstream = { job: jobId, execution };
    executions.push(encodePublicId('Execution', execution));
  }
  return executions;
}
