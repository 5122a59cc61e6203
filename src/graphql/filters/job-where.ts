import type { JobSelection } from '../../commands/job-chunks.ts';
import type { FeedEvent } from '../../events/feed.ts';
import { type Condition, type FieldValue, matches, mentions } from '../../domain/condition.ts';
import type { JobField } from '../../domain/filter-fields.ts';
import type { Prisma, PrismaClient } from '../../generated/prisma/client.ts';
import { type Column, toPrismaWhere } from './prisma-where.ts';
import { type FieldSpecs, readWhere, type WhereInput } from './read-where.ts';

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
  api: { name: 'api', nullable: false },
  tags: { someRow: (tag) => ({ tagAssociations: { some: { tag } } }) },
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
export function jobsMatching(where: WhereInput | null | undefined): Prisma.JobWhereInput {
  return toPrismaWhere(visibleJobs(where), COLUMNS);
}

function visibleJobs(where: WhereInput | null | undefined): Condition<JobField> {
  const condition = readJobWhere(where);
  return mentions(condition, 'status') ? condition : { kind: 'all', of: [NOT_DELETED, condition] };
}

/**
 * The same jobs as what a command is to work on.
 *
 * @throws GraphQLError BAD_USER_INPUT, see {@link readWhere}
 */
export function jobSelection(prisma: PrismaClient, where: WhereInput): JobSelection {
  const condition = visibleJobs(where);
  const matching: Prisma.JobWhereInput = toPrismaWhere(condition, COLUMNS);
  return {
    async find(behind, limit) {
      const rows = await prisma.job.findMany({
        where: behind === null ? matching : { AND: [{ id: { gt: behind } }, matching] },
        select: { id: true },
        orderBy: { id: 'asc' },
        take: limit,
      });
      return rows.map(({ id }) => id);
    },
    selects: (job) => matches(condition, (field) => job[field]),
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
