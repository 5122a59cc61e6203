import type DataLoader from 'dataloader';
import type { ExecutionLog, PrismaClient } from '../../generated/prisma/client.ts';
import type { PageRequest } from '../../domain/execution/page-request.ts';
import { pageSignature } from './page-signature.ts';
import { groupedLoader } from './grouped-loader.ts';

/** A line of an execution's log. */
export type LogLine = Pick<ExecutionLog, 'position' | 'at' | 'level' | 'message' | 'attempt'> & {
  metadata: unknown;
};

/** Reads the same page of many logs in one statement. */
export type ReadLogPages = (
  executionIds: readonly string[],
  asked: PageRequest,
) => Promise<Map<string, LogLine[]>>;

/** What is asked of the logs of many executions at once. */
export interface ExecutionLogLoaders {
  lines: DataLoader<PageRequest & { executionId: string }, LogLine[]>;
  counts: DataLoader<{ executionId: string }, number>;
}

/** Makes the loaders. They remember nothing: they outlive requests, and logs grow. */
export function createExecutionLogLoaders({
  prisma,
  readLogPages,
}: {
  prisma: PrismaClient;
  readLogPages: ReadLogPages;
}): ExecutionLogLoaders {
  return {
    lines: groupedLoader(({ executionId }) => executionId, pageSignature, readLogPages, []),
    counts: groupedLoader(
      ({ executionId }) => executionId,
      () => '',
      (executionIds) => countLines(prisma, executionIds),
      0,
    ),
  };
}

async function countLines(prisma: PrismaClient, executionIds: string[]): Promise<Map<string, number>> {
  const groups = await prisma.executionLog.groupBy({
    by: ['executionId'],
    where: { executionId: { in: executionIds } },
    _count: true,
  });
  return new Map(groups.map(({ executionId, _count }) => [executionId, _count]));
}
