import DataLoader from 'dataloader';
import type { Prisma, PrismaClient } from '../../generated/prisma/client.ts';

/** One row to be read: its id, and which columns and relations are wanted of it. */
export interface RowKey<Select> {
  id: string;
  select: Select;
}

/** A row with what was selected of it; null where it is not (or no longer) there. */
export type LoadedRow = ({ id: string } & Record<string, unknown>) | null;
export type RowLoader<Select> = DataLoader<RowKey<Select>, LoadedRow, string>;

/** Reads executions by id; see {@link createRowLoader}. */
export function createExecutionLoader(prisma: PrismaClient): RowLoader<Prisma.JobExecutionSelect> {
  return createRowLoader((ids, select: Prisma.JobExecutionSelect) =>
    prisma.jobExecution.findMany({ where: { id: { in: ids } }, select: { ...select, id: true } }),
  );
}

/** Reads jobs by id, deleted ones too; see {@link createRowLoader}. */
export function createJobLoader(prisma: PrismaClient): RowLoader<Prisma.JobSelect> {
  return createRowLoader((ids, select: Prisma.JobSelect) =>
    prisma.job.findMany({ where: { id: { in: ids } }, select: { ...select, id: true } }),
  );
}

/**
 * Reads rows by id. Those asked for within one turn of the event loop with the same selection are read in one
 * statement (and one per relation), whoever asks.
 *
 * Remembers nothing: it outlives requests, and rows change.
 */
function createRowLoader<Select>(
  find: (ids: string[], select: Select) => Promise<object[]>,
): RowLoader<Select> {
  return new DataLoader<RowKey<Select>, LoadedRow, string>((keys) => readBatch(find, keys), { cache: false });
}

async function readBatch<Select>(
  find: (ids: string[], select: Select) => Promise<object[]>,
  keys: readonly RowKey<Select>[],
): Promise<LoadedRow[]> {
  const groups = new Map<string, { select: Select; ids: Set<string> }>();
  const signatures = keys.map(({ select }) => JSON.stringify(select));
  keys.forEach(({ id, select }, index) => {
    const signature = signatures[index] ?? '';
    const group = groups.get(signature) ?? { select, ids: new Set() };
    group.ids.add(id);
    groups.set(signature, group);
  });

  const rows = new Map<string, NonNullable<LoadedRow>>();
  await Promise.all(
    [...groups].map(async ([signature, { select, ids }]) => {
      for (const row of (await find([...ids], select)) as NonNullable<LoadedRow>[])
        rows.set(`${row.id} ${signature}`, row);
    }),
  );
  return keys.map(({ id }, index) => rows.get(`${id} ${signatures[index] ?? ''}`) ?? null);
}
