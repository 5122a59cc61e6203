import type DataLoader from 'dataloader';
import type { Prisma, PrismaClient } from '../../generated/prisma/client.ts';
import { groupedLoader } from './grouped-loader.ts';

/** An entry of the audit log with what was selected of it. */
export type LoadedAuditEntry = { id: string } & Record<string, unknown>;

/** What is asked of the history of many jobs at once; one statement or two per distinct `limit`, `where` or `select`. */
export interface JobHistoryLoaders {
  /** Ids of a job's newest executions, newest first. */
  latestIds: DataLoader<{ jobId: string; limit: number }, string[]>;
  /** How many of a job's executions a filter selects. */
  counts: DataLoader<{ jobId: string; where: Prisma.JobExecutionWhereInput }, number>;
  /** A job's newest audit entries, newest first. */
  auditEntries: DataLoader<
    { jobId: string; limit: number; select: Prisma.AuditLogEntrySelect },
    LoadedAuditEntry[]
  >;
  /** How many audit entries a job has. */
  auditCounts: DataLoader<{ jobId: string }, number>;
}

type LatestIds = (jobIds: readonly string[], limit: number) => Promise<Map<string, string[]>>;

interface HistoryParts {
  prisma: PrismaClient;
  latestExecutionIds: LatestIds;
  latestAuditEntryIds: LatestIds;
}

/** Makes the loaders. They remember nothing: they outlive requests, and histories grow. */
export function createJobHistoryLoaders(parts: HistoryParts): JobHistoryLoaders {
  const jobOf = ({ jobId }: { jobId: string }) => jobId;
  return {
    latestIds: groupedLoader(
      jobOf,
      ({ limit }) => String(limit),
      (jobIds, { limit }) => parts.latestExecutionIds(jobIds, limit),
      [],
    ),
    counts: groupedLoader(
      jobOf,
      ({ where }) => JSON.stringify(where),
      (jobIds, { where }) => countExecutions(parts.prisma, jobIds, where),
      0,
    ),
    auditEntries: groupedLoader(
      jobOf,
      ({ limit, select }) => JSON.stringify([limit, select]),
      (jobIds, { limit, select }) => readAuditEntries(parts, jobIds, limit, select),
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
  { prisma, latestAuditEntryIds }: HistoryParts,
  jobIds: readonly string[],
  limit: number,
  select: Prisma.AuditLogEntrySelect,
): Promise<Map<string, LoadedAuditEntry[]>> {
  const ids = await latestAuditEntryIds(jobIds, limit);
  const rows = (await prisma.auditLogEntry.findMany({
    where: { id: { in: [...ids.values()].flat() } },
    select: { ...select, id: true },
  })) as unknown as LoadedAuditEntry[];
  const byId = new Map(rows.map((row) => [row.id, row]));
  // One that was pruned between the two reads is left out.
  return new Map([...ids].map(([jobId, entries]) => [jobId, entries.flatMap((id) => byId.get(id) ?? [])]));
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
