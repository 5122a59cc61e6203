import type { FeedEvent } from '../../events/feed.ts';
import type { Prisma } from '../../generated/prisma/client.ts';
import { type Condition, matches } from '../../domain/values/condition.ts';
import { type ExecutionStatus, isFinished } from '../../domain/execution/execution.ts';
import type { ExecutionField } from '../../domain/execution/filter-fields.ts';
import { askedStatuses } from './asked-statuses.ts';
import { type Column, toPrismaWhere } from './prisma-where.ts';
import { lookUpTags } from './tag-lookup.ts';
import type { GraphqlContext } from '../context.ts';
import { type FieldSpecs, readWhere, type WhereInput } from './read-where.ts';

const SPECS: FieldSpecs<ExecutionField> = {
  id: { kind: 'ids', idKind: 'Execution' },
  jobId: { kind: 'ids', idKind: 'Job' },
  status: { kind: 'values' },
  trigger: { kind: 'values' },
  failureReason: { kind: 'values' },
  tags: { kind: 'tags' },
  scheduledAt: { kind: 'instant' },
  startedAt: { kind: 'instant' },
  finishedAt: { kind: 'instant' },
  createdAt: { kind: 'instant' },
  durationMs: { kind: 'number' },
  latenessMs: { kind: 'number' },
  responseStatus: { kind: 'number' },
  errorMessage: { kind: 'text' },
  instanceId: { kind: 'values' },
};

const COLUMNS: Readonly<Record<ExecutionField, Column>> = {
  id: { name: 'id', nullable: false },
  jobId: { name: 'jobId', nullable: false },
  status: { name: 'status', nullable: false },
  trigger: { name: 'trigger', nullable: false },
  failureReason: { name: 'failureReason', nullable: true },
  tags: { jobId: 'jobId', ofJob: (job) => ({ job }) },
  scheduledAt: { name: 'scheduledAt', nullable: true },
  startedAt: { name: 'startedAt', nullable: true },
  finishedAt: { name: 'finishedAt', nullable: true },
  createdAt: { name: 'createdAt', nullable: false },
  durationMs: { name: 'durationMs', nullable: true },
  latenessMs: { name: 'latenessMs', nullable: true },
  responseStatus: { name: 'responseStatus', nullable: true },
  errorMessage: { name: 'errorMessage', nullable: true },
  instanceId: { name: 'claimedBy', nullable: true },
};

/** Checks an ExecutionWhere; see {@link readWhere} for what is refused. */
export function readExecutionWhere(where: WhereInput | null | undefined): Condition<ExecutionField> {
  return readWhere(where, SPECS);
}

/** The executions that a condition selects, for a query. */
export async function executionsMatching(
  condition: Condition<ExecutionField>,
  context: GraphqlContext,
): Promise<Prisma.JobExecutionWhereInput> {
  const where = toPrismaWhere(condition, COLUMNS, await lookUpTags(condition, context));
  return { AND: [where, factsOfStatus(condition)] };
}

/** What the statuses that are asked for say of other columns, by which indexes hold the rows that have such a status. */
function factsOfStatus(condition: Condition<ExecutionField>): Prisma.JobExecutionWhereInput {
  const statuses = askedStatuses(condition);
  if (statuses === null) return {};
  if (statuses.every((status) => status === 'FAILED')) return { failureReason: { not: null } };
  if (statuses.every((status) => status === 'SKIPPED')) return { skipReason: { not: null } };
  return statuses.some((status) => isFinished(status as ExecutionStatus)) ? {} : { finishedAt: null };
}

/** Whether an event is about an execution that, at that moment, the condition selects; its job had the tags then. */
export function eventMatches(
  event: FeedEvent['event'],
  condition: Condition<ExecutionField>,
  tags: readonly string[],
): boolean {
  if (event.executionId === null || !event.kind.startsWith('EXECUTION_')) return false;
  return matches(condition, (field) => {
    if (field === 'id') return event.executionId;
    return field === 'tags' ? tags : event[field];
  });
}
