import type { PoolClient } from 'pg';
import {
  DEPENDENCY_CONDITIONS,
  type DependencyCondition,
  findCycle,
  MAX_DEPENDENCIES,
} from '../../domain/workflow/dependency.ts';
import { encodePublicId } from '../../domain/values/public-id.ts';
import {
  type Dependency,
  insertDependency,
  lockEdgeChanges,
  readDependencies,
  readEdgesUpstream,
} from '../../store/jobs/dependencies.ts';
import type { StoredJob } from '../../store/jobs/jobs.ts';
import type { Caller, CommandDeps } from '../command-deps.ts';
import { type CommandError, type CommandResult, failWith, validationError } from '../command-result.ts';
import { commandTransaction } from '../command-transaction.ts';
import { type DependencyReference, lockBothJobs, recordDependencyChange } from './dependency-record.ts';

export type AddJobDependencyInput = DependencyReference & {
  /** How the upstream's run must end; ON_SUCCESS where it is left out. */
  condition?: string | null | undefined;
};

/**
 * Lets a job wait for another. The edge is satisfied by ends from now on, also of runs that are under way. Adding an edge
 * that is there already changes nothing.
 *
 * @returns id (a UUID) of the edge; a ConflictError where it is there with another condition, a CyclicDependencyError
 *   where the job would come to wait for itself
 */
export async function addJobDependency(
  deps: CommandDeps,
  by: Caller,
  { condition: asked, ...reference }: AddJobDependencyInput,
): Promise<CommandResult<{ dependencyId: string }>> {
  const condition = conditionOf(asked ?? 'ON_SUCCESS');
  if (condition === null) {
    const message = `Must be one of ${DEPENDENCY_CONDITIONS.join(', ')}.`;
    return failWith(validationError([{ path: ['condition'], message }]));
  }

  return commandTransaction(deps, async (tx) => {
    await lockEdgeChanges(tx);
    const found = await lockBothJobs(tx, reference);
    if (!found.ok) return found;
    const { job, dependsOn } = found.value;
    const existing = await readDependencies(tx, job.id);
    const same = existing.find(({ dependsOnId }) => dependsOnId === dependsOn.id);
    if (same?.condition === condition) return { ok: true, value: { dependencyId: same.id } };

    const problem = same ? otherCondition(same) : await findProblem(tx, job, dependsOn, existing.length);
    if (problem) return failWith(problem);
    const now = deps.clock.now();
    const dependency = { id: deps.newId(now), jobId: job.id, dependsOnId: dependsOn.id, condition };
    await insertDependency(tx, dependency, now);
    await recordDependencyChange(tx, deps, by, { action: 'DEPENDENCY_ADDED', job, dependency, now });
    return { ok: true, value: { dependencyId: dependency.id } };
  });
}

function conditionOf(text: string): DependencyCondition | null {
  return DEPENDENCY_CONDITIONS.find((condition) => condition === text) ?? null;
}

function otherCondition({ condition }: Dependency): CommandError {
  const message = `The job waits for that one already, with ${condition}; remove that dependency first.`;
  return { kind: 'ConflictError', message, path: ['condition'] };
}

async function findProblem(
  tx: PoolClient,
  job: StoredJob,
  dependsOn: StoredJob,
  dependencies: number,
): Promise<CommandError | null> {
  if (dependencies >= MAX_DEPENDENCIES) {
    const message = `The job waits for ${dependencies} others; more than ${MAX_DEPENDENCIES} are not allowed.`;
    return validationError([{ path: ['dependsOnId'], message }]);
  }
  const edge = { jobId: job.id, dependsOnId: dependsOn.id };
  const cycle = findCycle(await readEdgesUpstream(tx, dependsOn.id), edge);
  return cycle && cyclicDependency(cycle);
}

function cyclicDependency(cycle: readonly string[]): CommandError {
  const others = cycle.length - 1;
  const how = others === 0 ? '' : `, by way of ${others === 1 ? 'another one' : `${others} others`}`;
  return {
    kind: 'CyclicDependencyError',
    message: `The job would wait for itself${how}.`,
    path: ['dependsOnId'],
    cycle: cycle.map((id) => encodePublicId('Job', id)),
  };
}
