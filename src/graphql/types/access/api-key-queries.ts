import type { Prisma } from '../../../generated/prisma/client.ts';
import { builder } from '../../builder.ts';
import { readOrdering } from '../../connection/ordering.ts';
import { requestPage } from '../../connection/page.ts';
import { readPage, selectionOfRows } from '../../connection/prisma-page.ts';
import { needs } from '../../roles.ts';
import { BAD_LIST_ARGUMENT } from '../shared/error-texts.ts';
import { ID_COLUMN, NEWEST_FIRST } from '../shared/order-inputs.ts';
import { ApiKey } from './api-key.ts';

const ApiKeyConnection = builder.connectionObject(
  { type: ApiKey, name: 'ApiKeyConnection', description: 'A page of the list of API keys.' },
  { name: 'ApiKeyEdge', description: 'A key of a page.' },
);

const ORDERING = readOrdering(
  null,
  { CREATED_AT: { column: 'createdAt', type: 'instant', nullable: false } },
  NEWEST_FIRST,
  ID_COLUMN,
);

builder.queryFields((t) => ({
  apiKeys: t.connection(
    {
      authScopes: needs('ADMIN'),
      type: ApiKey,
      description: `All API keys, newest first, also those that are expired or revoked. ${BAD_LIST_ARGUMENT}.`,
      resolve: (_root, args, context, info) => {
        const { apiKey } = context.prisma;
        return readPage(
          requestPage(ORDERING, args),
          {},
          {
            select: selectionOfRows(context, info, ORDERING),
            find: (query) => apiKey.findMany(query as Prisma.ApiKeyFindManyArgs),
            count: (where) => apiKey.count({ where }),
          },
        );
      },
    },
    ApiKeyConnection,
  ),
}));
