import { expect } from 'vitest';
import type { ApiHarness } from './api-harness.ts';
import type { ModelRow, OrderKey, Where } from './list-model.ts';

type PageInfo = {
  hasNextPage: boolean;
  hasPreviousPage: boolean;
  startCursor: string | null;
  endCursor: string | null;
};

/** A page as a client sees it. */
export type Page = {
  edges: { cursor: string; node: { id: string } }[];
  nodes: { id: string }[];
  pageInfo: PageInfo;
  totalCount: number;
};

/** The arguments of each list: a `where` of this type, and an `orderBy` if it has more than one order. */
const LISTS = {
  jobs: { where: 'JobWhere', orderBy: 'JobOrder' },
  executions: { where: 'ExecutionWhere', orderBy: 'ExecutionOrder' },
  deadLetters: { where: 'DeadLetterWhere', orderBy: null },
  auditLog: { where: 'AuditLogWhere', orderBy: null },
} as const;

/** A list, and how the walk reads it. */
export interface Walk {
  list: keyof typeof LISTS;
  where: Where;
  orderBy?: OrderKey[];
  size: number;
  forward: boolean;
}

/** Reads all pages from one end to the other. */
export async function walkList(
  api: ApiHarness,
  { list, where, orderBy, size, forward }: Walk,
  betweenPages: () => Promise<void> = () => Promise.resolve(),
): Promise<{ ids: string[]; totalCount: number }> {
  const types = LISTS[list];
  const args = forward ? 'first: $size, after: $cursor' : 'last: $size, before: $cursor';
  const order =
    types.orderBy === null ? ['', ''] : [`, $orderBy: [${types.orderBy}!]`, ', orderBy: $orderBy'];
  const source = `query ($size: Int, $cursor: String, $where: ${types.where}${order[0]}) {
    ${list}(${args}, where: $where${order[1]}) {
      totalCount edges { cursor node { id } } nodes { id } pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
    }
  }`;
  const ids: string[] = [];
  let cursor: string | null = null;
  for (;;) {
    const data: Record<string, Page> = await api.query(source, { size, cursor, where, orderBy });
    const page: Page | undefined = data[list];
    if (!page) throw new Error('The answer lacks the list');
    const shown = page.edges.map(({ node }) => node.id);
    expect(page.nodes.map(({ id }) => id)).toEqual(shown);
    expect(shown.length).toBeLessThanOrEqual(size);
    if (forward) ids.push(...shown);
    else ids.unshift(...shown);
    cursor = forward ? page.pageInfo.endCursor : page.pageInfo.startCursor;
    const isLast = !(forward ? page.pageInfo.hasNextPage : page.pageInfo.hasPreviousPage);
    if (isLast) return { ids, totalCount: page.totalCount };
    await betweenPages();
  }
}

export const idsOf = (rows: readonly ModelRow[]) => rows.map(({ id }) => id);
