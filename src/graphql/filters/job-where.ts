import { type CommandResult, failWith, validationError } from '../../commands/command-result.ts';
import type { JobSelection } from '../../commands/jobs/job-chunks.ts';
import type { FeedEvent } from '../../events/feed.ts';
import { type Condition, type FieldValue, matches, mentions } from '../../domain/values/condition.ts';
import { maskUrl } from '../../domain/request/secrets.ts';
import type { JobField } from '../../domain/execution/filter-fields.ts';
import type { Prisma } from '../../generated/prisma/client.ts';
import { type Column, toPrismaWhere } from './prisma-where.ts';
import { lookUpTags } from './tag-lookup.ts';
import type { GraphqlContext } from '../context.ts';
import { askedStatuses } from './asked-statuses.ts';
import { checkWhere, type FieldSpecs, readWhere, type WhereInput } from './read-where.ts';

const SPECS: FieldSpecs<JobField> = {
  id: { kind: 'ids', idKind: 'Job' },
  key: { kind: 'text' },
  name: { kind: 'text' },
  status: { kind: 'values' },
  api: { kind: 'text' },
  tags: { kind: 'tags' },
  nextRunAt: { kind: 'instant' },
  createdAt: { kind: 'instant' },
};

const COLUMNS: Readonly<Record<JobField, Column>> = {
  id: { name: 'id', nullable: false },
  key: { name: 'key', nullable: true },
  name: { name: 'name', nullable: false },
  status: { name: 'status', nullable: false },
  api: { name: 'shownApi', nullable: false },
  tags: { jobId: 'id', ofJob: (job) => job },
  nextRunAt: { name: 'nextRunAt', nullable: true },
  createdAt: { name: 'createdAt', nullable: false },
};

const NOT_DELETED: Condition<JobField> = {
  kind: 'not',
  of: { kind: 'test', field: 'status', test: { op: 'in', values: ['DELETED'] } },
};

/** Checks a JobWhere; see {@link readWhere} for what is refused. */
export function readJobWhere(where: WhereInput | null | undefined): Condition<JobField> {
  return readWhere(where, SPECS);
}

/**
 * The jobs that a `where` selects. Deleted jobs are left out unless the `where` says something about the status.
 *
 * @throws GraphQLError BAD_USER_INPUT, see {@link readWhere}
 */
export async function jobsMatching(
  where: WhereInput | null | undefined,
  context: GraphqlContext,
): Promise<Prisma.JobWhereInput> {
  return matching(withoutDeleted(readJobWhere(where)), context);
}

async function matching(
  condition: Condition<JobField>,
  context: GraphqlContext,
): Promise<Prisma.JobWhereInput> {
  const where = toPrismaWhere(condition, COLUMNS, await lookUpTags(condition, context));
  return isWithoutDeleted(condition) ? { AND: [{ deletedAt: null }, where] } : where;
}

/** Told in words that the index of keys understands. */
function isWithoutDeleted(condition: Condition<JobField>): boolean {
  if (condition.kind === 'all' && condition.of.includes(NOT_DELETED)) return true;
  const statuses = askedStatuses(condition);
  return statuses !== null && !statuses.includes('DELETED');
}

/** Unless the condition says something about the status. */
function withoutDeleted(condition: Condition<JobField>): Condition<JobField> {
  return mentions(condition, 'status') ? condition : { kind: 'all', of: [NOT_DELETED, condition] };
}

/** The same jobs as what a command is to work on, or a ValidationError; see {@link readWhere} for what is refused. */
export function jobSelection(where: WhereInput, context: GraphqlContext): CommandResult<JobSelection> {
  const checked = checkWhere(where, SPECS);
  if (!checked.ok) return failWith(validationError([checked.issue]));
  return { ok: true, value: selectionOf(withoutDeleted(checked.condition), context) };
}

function selectionOf(condition: Condition<JobField>, context: GraphqlContext): JobSelection {
  return {
    async find(behind, limit) {
      const selected = await matching(condition, context);
      const rows = await context.prisma.job.findMany({
        where: behind === null ? selected : { AND: [{ id: { gt: behind } }, selected] },
        select: { id: true },
        orderBy: { id: 'asc' },
        take: limit,
      });
      return rows.map(({ id }) => id);
    },
    selects: (job) => matches(condition, (field) => (field === 'api' ? maskUrl(job.api) : job[field])),
  };
}

/**
 * Whether an event is about a job that, after the change, the condition selects. Unlike in a list, deleted jobs are not
 * left out: who follows jobs is to hear of it.
 */
export function jobEventMatches(event: FeedEvent['event'], condition: Condition<JobField>): boolean {
  if (event.jobId === null || !event.kind.startsWith('JOB_')) return false;
  const facts = (event.data ?? {}) as Partial<Record<JobField, FieldValue>>;
  return matches(condition, (field) => {
    if (field === 'id') return event.jobId;
    const value = facts[field] ?? null;
    return typeof value === 'string' && SPECS[field].kind === 'instant' ? new Date(value) : value;
  });
}
