import DataLoader from 'dataloader';
import type { Prisma, PrismaClient } from '../../generated/prisma/client.ts';

/** One row to be read: its id, and which columns and relations are wanted of it. */
export interface ExecutionKey {
  id: string;
  select: Prisma.JobExecutionSelect;
}

/** An execution with what was selected of it; null where it is not (or no longer) there. */
export type LoadedExecution = ({ id: string } & Record<string, unknown>) | null;
export type ExecutionLoader = DataLoader<ExecutionKey, LoadedExecution, string>;

/**
 * Reads executions by id. Those asked for within one turn of the event loop with the same selection are read in one
 * statement (and one per relation), whoever asks.
 *
 * Remembers nothing: it outlives requests, and an execution changes.
 */
export function createExecutionLoader(prisma: PrismaClient): ExecutionLoader {
  return new DataLoader<ExecutionKey, LoadedExecution, string>((keys) => readBatch(prisma, keys), {
    cache: false,
  });
}

async function readBatch(prisma: PrismaClient, keys: readonly ExecutionKey[]): Promise<LoadedExecution[]> {
  const groups = new Map<string, { select: Prisma.JobExecutionSelect; ids: Set<string> }>();
  const signatures = keys.map(({ select }) => JSON.stringify(select));
  keys.forEach(({ id, select }, index) => {
    const signature = signatures[index] ?? '';
    const group = groups.get(signature) ?? { select, ids: new Set() };
    group.ids.add(id);
    groups.set(signature, group);
  });

  const rows = new Map<string, NonNullable<LoadedExecution>>();
  await Promise.all(
    [...groups].map(async ([signature, { select, ids }]) => {
      const found = await prisma.jobExecution.findMany({
        where: { id: { in: [...ids] } },
        select: { ...select, id: true },
      });
      for (const row of found as unknown as NonNullable<LoadedExecution>[])
        rows.set(`${row.id} ${signature}`, row);
    }),
  );
  return keys.map(({ id }, index) => rows.get(`${id} ${signatures[index] ?? ''}`) ?? null);
}
