import DataLoader from 'dataloader';
import { groupBy } from '../../domain/group-by.ts';
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
      const byJob = groupBy(rows, ({ jobId }) => jobId);
      return jobIds.map((jobId) => (byJob.get(jobId) ?? []).flatMap(({ scheduledAt }) => scheduledAt ?? []));
    },
    { cache: false },
  );
}
