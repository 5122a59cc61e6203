import type { GraphqlContext } from '../../context.ts';
import { type Page, pageOf, requestPage } from '../../connection/page.ts';
import type { PageArgs } from '../../connection/page-args.ts';
import type { LogLine } from '../../loaders/execution-log-loaders.ts';

const LOG_ORDER = [
  { name: 'POSITION', column: 'position', type: 'position', nullable: false, direction: 'asc' },
] as const;

/** A page of an execution's log. The first or the last page of many executions' logs is read for all of them at once. */
export async function logPageOf(
  executionId: string,
  args: PageArgs,
  { prisma, executionLogLoaders }: GraphqlContext,
): Promise<Page<LogLine> & { totalCount: () => Promise<number> }> {
  const request = requestPage(LOG_ORDER, args);
  const { where, take } = request.query;
  const orderBy = { position: request.pageSize.from === 'end' ? 'desc' : 'asc' } as const;
  const isBounded = [args.after, args.before].some((cursor) => typeof cursor === 'string');
  const rows = isBounded
    ? await prisma.executionLog.findMany({ where: { executionId, ...where }, orderBy, take })
    : await executionLogLoaders.lines.load({ executionId, limit: take, from: request.pageSize.from });
  return { totalCount: () => executionLogLoaders.counts.load({ executionId }), ...pageOf(request, rows) };
}
