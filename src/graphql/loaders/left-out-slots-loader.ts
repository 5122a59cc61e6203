import DataLoader from 'dataloader';
import type { Clock } from '../../domain/clock.ts';
import type { PrismaClient } from '../../generated/prisma/client.ts';

/** Per job the future slots that somebody left out. */
export type LeftOutSlotsLoader = DataLoader<string, Date[]>;

/** Reads them for all jobs of an answer by one statement. Remembers nothing: it outlives requests. */
export function createLeftOutSlotsLoader({
  prisma,
  clock,
}: {
  prisma: PrismaClient;
  clock: Clock;
}): LeftOutSlotsLoader {
  return new DataLoader<string, Date[]>(
    async (jobIds) => {
      const rows = await prisma.jobExecution.findMany({
        where: {
          jobId: { in: [...new Set(jobIds)] },
          skipReason: 'OPERATOR',
          scheduledAt: { gt: clock.now() },
        },
        select: { jobId: true, scheduledAt: true },
      });
      const byJob = new Map<string, Date[]>();
      for (const { jobId, scheduledAt } of rows) {
        if (scheduledAt) byJob.set(jobId, [...(byJob.get(jobId) ?? []), scheduledAt]);
      }
      return jobIds.map((jobId) => byJob.get(jobId) ?? []);
    },
    { cache: false },
  );
}
