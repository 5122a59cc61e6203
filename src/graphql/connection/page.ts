import type { Place } from '../../domain/execution/page-request.ts';
import type { PrismaWhere } from '../filters/prisma-where.ts';
import { rowsBeside, type Stretch, stretchesOf } from './keyset.ts';
import type { Ordering } from './ordering.ts';
import { type PageArgs, type PageSize, readPageSize } from './page-args.ts';
import { decodePlace, encodePlace } from './page-cursor.ts';

/** What a page asks of the database, beside the connection's own filter. */
export interface PageQuery {
  where: PrismaWhere;
  /** Parts that are to be read one after the other, until there are enough rows. */
  stretches: Stretch[];
  /** One row more than the page holds: it says whether another page follows. */
  take: number;
}

/** A page as a connection shows it. */
export interface Page<Row> {
  edges: { cursor: string; node: Row }[];
  pageInfo: {
    hasNextPage: boolean;
    hasPreviousPage: boolean;
    startCursor: string | null;
    endCursor: string | null;
  };
}

/** A connection's arguments, read and checked. */
export interface ConnectionRequest {
  ordering: Ordering;
  pageSize: PageSize;
  args: PageArgs;
  /** The places that its cursors name. */
  places: { after?: Place; before?: Place };
  query: PageQuery;
}

/**
 * Reads the arguments of a connection.
 *
 * @throws GraphQLError BAD_USER_INPUT where a size is out of bounds or a cursor is none of this ordering
 */
export function requestPage(ordering: Ordering, args: PageArgs): ConnectionRequest {
  const pageSize = readPageSize(args);
  const places = (['after', 'before'] as const).flatMap((side) => {
    const cursor = args[side];
    return typeof cursor === 'string' ? [{ place: decodePlace(ordering, cursor, side), side }] : [];
  });
  const isReversed = pageSize.from === 'end';
  return {
    ordering,
    pageSize,
    args,
    places: Object.fromEntries(places.map(({ place, side }) => [side, place])),
    query: {
      where: { AND: places.map(({ place, side }) => rowsBeside(ordering, place, side)) },
      stretches: stretchesOf(ordering, isReversed, places),
      take: pageSize.size + 1,
    },
  };
}

/**
 * Makes the page of the rows that its query gave, in the query's order.
 *
 * @param hasMore whether there are rows behind those, where the query did not just ask for one more
 */
export function pageOf<Row extends object>(
  { ordering, pageSize, args }: ConnectionRequest,
  rows: readonly Row[],
  hasMore = rows.length > pageSize.size,
): Page<Row> {
  const shown = rows.slice(0, pageSize.size);
  if (pageSize.from === 'end') shown.reverse();
  const cursorOf = (row: Row) => encodePlace(ordering, placeOf(ordering, row));
  // On the side that was not asked for, a cursor is taken as sign of the row it came from: looking would cost a read.
  const [hasNextPage, hasPreviousPage] =
    pageSize.from === 'end' ? [isCursor(args.before), hasMore] : [hasMore, isCursor(args.after)];
  const edges = shown.map((node) => new LazyEdge(node, cursorOf));
  return { edges, pageInfo: new LazyPageInfo(hasNextPage, hasPreviousPage, edges) };
}

/**
 * Cursors are written when they are asked for: most often nobody does, and one is as much work as the rest of its row. The
 * getters are those of classes, since a getter in a literal makes it an object of the slow kind.
 */
class LazyEdge<Row> {
  readonly node: Row;
  readonly #cursorOf: (row: Row) => string;

  constructor(node: Row, cursorOf: (row: Row) => string) {
    this.node = node;
    this.#cursorOf = cursorOf;
  }

  get cursor(): string {
    return this.#cursorOf(this.node);
  }
}

class LazyPageInfo {
  readonly hasNextPage: boolean;
  readonly hasPreviousPage: boolean;
  readonly #edges: readonly { cursor: string }[];

  constructor(hasNextPage: boolean, hasPreviousPage: boolean, edges: readonly { cursor: string }[]) {
    this.hasNextPage = hasNextPage;
    this.hasPreviousPage = hasPreviousPage;
    this.#edges = edges;
  }

  get startCursor(): string | null {
    return this.#edges[0]?.cursor ?? null;
  }

  get endCursor(): string | null {
    return this.#edges.at(-1)?.cursor ?? null;
  }
}

function isCursor(cursor: string | null | undefined): boolean {
  return typeof cursor === 'string';
}

function placeOf(ordering: Ordering, row: object): Place {
  const values = row as Record<string, Place[number]>;
  return ordering.map(({ column }) => values[column] ?? null);
}
