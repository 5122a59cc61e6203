import type { Prisma } from '../../../generated/prisma/client.ts';
import { decodePublicId } from '../../../domain/values/public-id.ts';
import { builder } from '../../builder.ts';
import { needs } from '../../roles.ts';
import { filteredPage } from '../../connection/filtered-page.ts';
import { readOrdering } from '../../connection/ordering.ts';
import { requestPage } from '../../connection/page.ts';
import { readPage, selectionOfRows } from '../../connection/prisma-page.ts';
import { badArgument } from '../../errors.ts';
import { jobsMatching } from '../../filters/job-where.ts';
import { isUnfiltered } from '../../filters/read-where.ts';
import { BAD_FILTERED_LIST_ARGUMENT } from '../shared/error-texts.ts';
import { JobWhere } from '../shared/filter-inputs.ts';
import { Job } from './job.ts';
import { JobConnection } from './job-connection.ts';
import { ID_COLUMN, JOB_SORT_COLUMNS, JobOrder, NEWEST_FIRST } from '../shared/order-inputs.ts';

builder.queryFields((t) => ({
  job: t.prismaField({
    authScopes: needs('VIEWER'),
    type: 'Job',
    nullable: true,
    description:
      'By id or by key; null where there is none. A deleted job is found by its id only. BAD_USER_INPUT where both are given, or neither is.',
    args: {
      id: t.arg.id({ description: 'The job’s id.' }),
      key: t.arg.string({ description: 'The job’s key.' }),
    },
    resolve: (query, _root, { id, key }, { prisma }) => {
      if ((typeof id === 'string') === (typeof key === 'string'))
        throw badArgument('id', 'exactly one of id and key is needed.');
      if (typeof key === 'string') {
        return isSearchable(key) ? prisma.job.findFirst({ ...query, where: { key, deletedAt: null } }) : null;
      }
      const uuid = decodePublicId('Job', id ?? '');
      return uuid === null ? null : prisma.job.findUnique({ ...query, where: { id: uuid } });
    },
  }),
  jobs: t.connection(
    {
      authScopes: needs('VIEWER'),
      type: Job,
      description: `Jobs, newest first unless \`orderBy\` says otherwise. ${BAD_FILTERED_LIST_ARGUMENT}.`,
      args: {
        where: t.arg({ type: JobWhere, description: 'Only these.' }),
        orderBy: t.arg({
          type: [JobOrder],
          description: 'How to sort them, first key first; 4 keys at most.',
        }),
      },
      resolve: async (_root, args, context, info) => {
        const ordering = readOrdering(args.orderBy, JOB_SORT_COLUMNS, NEWEST_FIRST, ID_COLUMN);
        const request = requestPage(ordering, args);
        const page = readPage(request, await jobsMatching(args.where, context), {
          select: selectionOfRows(context, info, ordering),
          find: (query) => context.prisma.job.findMany(query as Prisma.JobFindManyArgs),
          count: (where) =>
            isUnfiltered(args.where) ? context.keptCounts.jobs() : context.prisma.job.count({ where }),
        });
        return filteredPage(args.where, context, page);
      },
    },
    JobConnection,
  ),
}));

/** What no key can be need not be asked for, and PostgreSQL would refuse it. */
function isSearchable(key: string): boolean {
  return key.length <= 200 && !key.includes('\0') && key.isWellFormed();
}
