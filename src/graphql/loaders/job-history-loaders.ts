import type DataLoader from 'dataloader';
import type { AskedExecutions, PageRequest } from '../../domain/execution/page-request.ts';
import type { Prisma, PrismaClient } from '../../generated/prisma/client.ts';
import { pageSignature } from './page-signature.ts';
import { groupedLoader } from './grouped-loader.ts';
import { rowsOfOwners } from './rows-of-owners.ts';

/** An execution with what was selected of it. */
export type LoadedExecution = { id: string } & Record<string, unknown>;
/** An entry of the audit log with what was selected of it. */
export type LoadedAuditEntry = { id: string } & Record<string, unknown>;

/** The rows of a page, and whether there are more than were asked for. */
export interface FoundExecutions {
  rows: LoadedExecution[];
  hasMore: boolean;
}

/** Which executions of a job a page wants, and what of them. */
interface ExecutionsKey extends AskedExecutions {
  jobId: string;
  /** The same condition for Prisma. */
  where: Prisma.JobExecutionWhereInput;
  select: Prisma.JobExecutionSelect;
}

/** What is asked of the history of many jobs at once; one statement or two for each distinct question. */
export interface JobHistoryLoaders {
  /** A page of a job's executions. */
  executions: DataLoader<ExecutionsKey, FoundExecutions>;
  /** How many of a job's executions a filter selects. */
  counts: DataLoader<{ jobId: string; where: Prisma.JobExecutionWhereInput }, number>;
  /** A page of a job's audit entries. */
  auditEntries: DataLoader<
    PageRequest & { jobId: string; select: Prisma.AuditLogEntrySelect },
    LoadedAuditEntry[]
  >;
  /** How many audit entries a job has. */
  auditCounts: DataLoader<{ jobId: string }, number>;
}

type Ids = Promise<Map<string, string[]>>;

interface HistoryParts {
  prisma: PrismaClient;
  executionIdsOfJobs: (jobIds: readonly string[], asked: AskedExecutions) => Ids;
  auditEntryIdsOfJobs: (jobIds: readonly string[], asked: PageRequest) => Ids;
}

/** Makes the loaders. They remember nothing: they outlive requests, and histories grow. */
export function createJobHistoryLoaders(parts: HistoryParts): JobHistoryLoaders {
  const jobOf = ({ jobId }: { jobId: string }) => jobId;
  return {
    executions: groupedLoader<ExecutionsKey, FoundExecutions>(
      jobOf,
      ({ condition, select, ...asked }) => `${pageSignature(asked)} ${JSON.stringify([condition, select])}`,
      (jobIds, asked) => readExecutions(parts, jobIds, asked),
      { rows: [], hasMore: false },
    ),
    counts: groupedLoader(
      jobOf,
      ({ where }) => JSON.stringify(where),
      (jobIds, { where }) => countExecutions(parts.prisma, jobIds, where),
      0,
    ),
    auditEntries: groupedLoader(
      jobOf,
      ({ select, ...asked }) => `${pageSignature(asked)} ${JSON.stringify(select)}`,
      (jobIds, { select, ...asked }) => readAuditEntries(parts, jobIds, asked, select),
      [],
    ),
    auditCounts: groupedLoader(
      jobOf,
      () => '',
      (jobIds) => countAuditEntries(parts.prisma, jobIds),
      0,
    ),
  };
}

/**
 * Finds executions, then reads them. One that was pruned between the two, or that the condition no longer selects, is left
 * out: no row contradicts the filter that it is shown for.
 */
async function readExecutions(
  { prisma, executionIdsOfJobs }: HistoryParts,
  jobIds: readonly string[],
  { where, select, ...asked }: ExecutionsKey,
): Promise<Map<string, FoundExecutions>> {
  const found = await executionIdsOfJobs(jobIds, asked);
  // The last says that there are more.
  const shown = new Map([...found].map(([jobId, ids]) => [jobId, ids.slice(0, asked.limit - 1)]));
  const rows = await rowsOfOwners(
    shown,
    (ids) =>
      prisma.jobExecution.findMany({
        where: { AND: [{ id: { in: ids } }, where] },
        select: { ...select, id: true },
      }) as unknown as Promise<LoadedExecution[]>,
  );
  return new Map(
    [...found].map(([jobId, ids]) => [
      jobId,
      { rows: rows.get(jobId) ?? [], hasMore: ids.length >= asked.limit },
    ]),
  );
}

async function countExecutions(
  prisma: PrismaClient,
  jobIds: readonly string[],
  where: Prisma.JobExecutionWhereInput,
): Promise<Map<string, number>> {
  const groups = await prisma.jobExecution.groupBy({
    by: ['jobId'],
    where: { AND: [{ jobId: { in: [...jobIds] } }, where] },
    _count: true,
  });
  return new Map(groups.map(({ jobId, _count }) => [jobId, _count]));
}

async function readAuditEntries(
  { prisma, auditEntryIdsOfJobs }: HistoryParts,
  jobIds: readonly string[],
  asked: PageRequest,
  select: Prisma.AuditLogEntrySelect,
): Promise<Map<string, LoadedAuditEntry[]>> {
  return rowsOfOwners(
    await auditEntryIdsOfJobs(jobIds, asked),
    (ids) =>
      prisma.auditLogEntry.findMany({
        where: { id: { in: ids } },
        select: { ...select, id: true },
      }) as unknown as Promise<LoadedAuditEntry[]>,
  );
}

async function countAuditEntries(
  prisma: PrismaClient,
  jobIds: readonly string[],
): Promise<Map<string, number>> {
  const groups = await prisma.auditLogEntry.groupBy({
    by: ['jobId'],
    where: { jobId: { in: [...jobIds] } },
    _count: true,
  });
  return new Map(groups.map(({ jobId, _count }) => [jobId ?? '', _count]));
}
