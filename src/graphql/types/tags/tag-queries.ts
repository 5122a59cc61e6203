import type { Prisma } from '../../../generated/prisma/client.ts';
import { builder } from '../../builder.ts';
import { needs } from '../../roles.ts';
import { readOrdering, type SortColumn } from '../../connection/ordering.ts';
import { requestPage } from '../../connection/page.ts';
import { readPage, selectionOfRows } from '../../connection/prisma-page.ts';
import { BAD_LIST_ARGUMENT } from '../shared/error-texts.ts';
import { ID_COLUMN } from '../shared/order-inputs.ts';
import { Tag } from './tag.ts';

const TagConnection = builder.connectionObject(
  { type: Tag, name: 'TagConnection', description: 'A page of the list of tags.' },
  { name: 'TagEdge', description: 'A tag of a page.' },
);

const NAME: SortColumn = { column: 'name', type: 'text', nullable: false };

builder.queryFields((t) => ({
  tags: t.connection(
    {
      authScopes: needs('VIEWER'),
      type: Tag,
      description: `All tags in the order of their names, also those that no job has. ${BAD_LIST_ARGUMENT}.`,
      resolve: (_root, args, context, info) => {
        const ordering = readOrdering(null, { NAME }, { field: 'NAME', direction: 'ASC' }, ID_COLUMN);
        const { tag } = context.prisma;
        return readPage(
          requestPage(ordering, args),
          {},
          {
            select: selectionOfRows(context, info, ordering),
            find: (query) => tag.findMany(query as Prisma.TagFindManyArgs),
            count: (where) => tag.count({ where }),
          },
        );
      },
    },
    TagConnection,
  ),
}));
