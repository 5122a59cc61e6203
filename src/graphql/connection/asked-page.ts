import type { PageRequest } from '../../domain/execution/page-request.ts';
import type { ConnectionRequest } from './page.ts';

/** What a page asks of a list that one of many owners has, as the statements take it that read those of all owners. */
export function askedPage({ ordering, places, pageSize, query }: ConnectionRequest): PageRequest {
  return {
    order: ordering.map(({ column: field, direction, nullable }) => ({ field, direction, nullable })),
    isReversed: pageSize.from === 'end',
    after: places.after ?? null,
    before: places.before ?? null,
    limit: query.take,
  };
}
