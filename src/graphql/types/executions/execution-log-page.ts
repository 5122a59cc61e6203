import type { GraphqlContext } from '../../context.ts';
import { type Page, pageOf, requestPage } from '../../connection/page.ts';
import { askedPage } from '../../connection/asked-page.ts';
import type { PageArgs } from '../../connection/page-args.ts';
import type { LogLine } from '../../loaders/execution-log-loaders.ts';

const LOG_ORDER = [
  { name: 'POSITION', column: 'position', type: 'position', nullable: false, direction: 'asc' },
] as const;

/** A page of an execution's log. The same page of many executions' logs is read for all of them at once. */
export async function logPageOf(
  executionId: string,
  args: PageArgs,
  { executionLogLoaders }: GraphqlContext,
): Promise<Page<LogLine> & { totalCount: () => Promise<number> }> {
  const request = requestPage(LOG_ORDER, args);
  const rows = await executionLogLoaders.lines.load({ executionId, ...askedPage(request) });
  return { totalCount: () => executionLogLoaders.counts.load({ executionId }), ...pageOf(request, rows) };
}
