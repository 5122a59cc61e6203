import type DataLoader from 'dataloader';
import type { ExecutionLog, PrismaClient } from '../../generated/prisma/client.ts';
import { groupedLoader } from './grouped-loader.ts';

/** A line of an execution's log. */
export type LogLine = Pick<ExecutionLog, 'position' | 'at' | 'level' | 'message' | 'attempt'> & {
  metadata: unknown;
};

/** Reads the first lines of many logs, or the last ones backwards, in one statement. */
export type ReadLogEnds = (
  executionIds: readonly string[],
  limit: number,
  from: 'start' | 'end',
) => Promise<Map<string, LogLine[]>>;

/** What is asked of the logs of many executions at once. */
export interface ExecutionLogLoaders {
  lines: DataLoader<{ executionId: string; limit: number; from: 'start' | 'end' }, LogLine[]>;
  counts: DataLoader<{ executionId: string }, number>;
}

/** Makes the loaders. They remember nothing: they outlive requests, and logs grow. */
export function createExecutionLogLoaders({
  prisma,
  readLogEnds,
}: {
  prisma: PrismaClient;
  readLogEnds: ReadLogEnds;
}): ExecutionLogLoaders {
  return {
    lines: groupedLoader(
      ({ executionId }) => executionId,
      ({ limit, from }) => `${from} ${limit}`,
      (executionIds, { limit, from }) => readLogEnds(executionIds, limit, from),
      [],
    ),
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
