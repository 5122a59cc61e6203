import { longestText } from '../../answer-sizes.ts';
import type { GraphQLResolveInfo } from 'graphql';
import type { Job as JobModel, Prisma } from '../../../generated/prisma/client.ts';
import { builder } from '../../builder.ts';
import { readOrdering } from '../../connection/ordering.ts';
import { pageOf, requestPage } from '../../connection/page.ts';
import { askedPage } from '../../connection/asked-page.ts';
import type { PageArgs } from '../../connection/page-args.ts';
import { type CountedPage, selectionOfRows } from '../../connection/prisma-page.ts';
import type { GraphqlContext } from '../../context.ts';
import { BAD_LIST_ARGUMENT } from '../shared/error-texts.ts';
import { Job } from '../jobs/job.ts';
import { JobConnection } from '../jobs/job-connection.ts';
import { ID_COLUMN, JOB_SORT_COLUMNS, NEWEST_FIRST } from '../shared/order-inputs.ts';

export const Tag = builder.prismaNode('Tag', {
  id: { field: 'id' },
  nullable: true,
  description: 'A word that jobs are grouped by.',
  select: { id: true },
  fields: (t) => ({
    name: t.exposeString('name', {
      extensions: longestText(64),
      description: 'Its name, in lower case; unique.',
    }),
    color: t.exposeString('color', {
      nullable: true,
      description: 'How a dashboard may show it: # and six hexadecimal digits, such as #1f6feb.',
    }),
    jobs: t.connection(
      {
        type: Job,
        description: `The jobs that have it, newest first; deleted ones are left out. Those of all tags of an answer are read together. ${BAD_LIST_ARGUMENT}.`,
        resolve: ({ id }, args, context, info) => jobPageOfTag(id, args, context, info),
      },
      JobConnection,
    ),
  }),
});

builder.prismaObjectFields(Job, (t) => ({
  tags: t.field({
    type: [Tag],
    description: 'Its tags, in the order of their names.',
    resolve: ({ id: jobId }, _args, { tagLoaders }) => tagLoaders.ofJob.load({ jobId }),
  }),
}));

/** A page of one tag's jobs, which may be one of many tags in the same answer: they are read for all tags at once. */
async function jobPageOfTag(
  tagId: string,
  args: PageArgs,
  context: GraphqlContext,
  info: GraphQLResolveInfo,
): Promise<CountedPage<JobModel>> {
  const ordering = readOrdering(null, JOB_SORT_COLUMNS, NEWEST_FIRST, ID_COLUMN);
  const request = requestPage(ordering, args);
  const select = selectionOfRows(context, info, ordering) as Prisma.JobSelect;
  const totalCount = () => context.tagLoaders.jobCounts.load({ tagId });
  const ids = await context.tagLoaders.jobIds.load({ tagId, ...askedPage(request) });
  const rows = await Promise.all(ids.map((id) => context.jobLoader.load({ id, select })));
  return { totalCount, ...pageOf(request, rows.filter((row) => row !== null) as unknown as JobModel[]) };
}
