import type { Prisma } from '../../../generated/prisma/client.ts';
import { builder } from '../../builder.ts';
import { needs } from '../../roles.ts';
import { filteredPage } from '../../connection/filtered-page.ts';
import { readOrdering, type SortColumn } from '../../connection/ordering.ts';
import { requestPage } from '../../connection/page.ts';
import { readPage, selectionOfRows } from '../../connection/prisma-page.ts';
import { deadLettersMatching, isOpenOnly } from '../../filters/dead-letter-where.ts';
import { DeadLetter } from './dead-letter.ts';
import { DeadLetterWhere } from './dead-letter-inputs.ts';
import { BAD_FILTERED_LIST_ARGUMENT } from '../shared/error-texts.ts';

const DeadLetterConnection = builder.connectionObject(
  { type: DeadLetter, name: 'DeadLetterConnection', description: 'A page of the dead letter queue.' },
  { name: 'DeadLetterEdge', description: 'A dead letter of a page.' },
);

const FAILED_AT: SortColumn = { column: 'failedAt', type: 'instant', nullable: false };
const ID_COLUMN: SortColumn = { column: 'executionId', type: 'id', nullable: false };

builder.queryFields((t) => ({
  deadLetters: t.connection(
    {
      authScopes: needs('VIEWER'),
      type: DeadLetter,
      description: `Executions that failed for good, newest failure first. ${BAD_FILTERED_LIST_ARGUMENT}.`,
      args: { where: t.arg({ type: DeadLetterWhere, description: 'Only these.' }) },
      resolve: async (_root, args, context, info) => {
        const newestFirst = { field: 'FAILED_AT', direction: 'DESC' } as const;
        const ordering = readOrdering(null, { FAILED_AT }, newestFirst, ID_COLUMN);
        const { deadLetter } = context.prisma;
        const request = requestPage(ordering, args);
        const page = readPage(request, await deadLettersMatching(args.where, context), {
          select: selectionOfRows(context, info, ordering),
          find: (query) => deadLetter.findMany(query as Prisma.DeadLetterFindManyArgs),
          count: (where) =>
            isOpenOnly(args.where) ? context.keptCounts.openDeadLetters() : deadLetter.count({ where }),
        });
        return filteredPage(args.where, context, page);
      },
    },
    DeadLetterConnection,
  ),
}));
