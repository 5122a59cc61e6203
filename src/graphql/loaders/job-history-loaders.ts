import DataLoader from 'dataloader';
import type { Prisma, PrismaClient } from '../../generated/prisma/client.ts';

/** What is asked of the history of many jobs at once; one statement per distinct `limit` or `where`. */
export interface JobHistoryLoaders {
  /** Ids of a job's newest executions, newest first. */
  latestIds: DataLoader<{ jobId: string; limit: number }, string[]>;
  /** How many of a job's executions a filter selects. */
  counts: DataLoader<{ jobId: string; where: Prisma.JobExecutionWhereInput }, number>;
}

/** Makes the loaders. They remember nothing: they outlive requests, and histories grow. */
export function createJobHistoryLoaders(parts: {
  prisma: PrismaClient;
  latestExecutionIds: (jobIds: readonly string[], limit: number) => Promise<Map<string, string[]>>;
}): JobHistoryLoaders {
  return {
    latestIds: groupedLoader(
      ({ limit }) => String(limit),
      (jobIds, { limit }) => parts.latestExecutionIds(jobIds, limit),
      [],
    ),
    counts: groupedLoader(
      ({ where }) => JSON.stringify(where),
      (jobIds, { where }) => countExecutions(parts.prisma, jobIds, where),
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

/** Batches keys that ask the same of different jobs; a job that the answer does not name gets `absent`. */
function groupedLoader<Key extends { jobId: string }, Value>(
  signatureOf: (key: Key) => string,
  read: (jobIds: string[], sample: Key) => Promise<Map<string, Value>>,
  absent: Value,
): DataLoader<Key, Value> {
  return new DataLoader<Key, Value>(
    async (keys) => {
      const groups = new Map<string, Key[]>();
      for (const key of keys) {
        const signature = signatureOf(key);
        groups.set(signature, [...(groups.get(signature) ?? []), key]);
      }
      const answers = new Map<string, Map<string, Value>>();
      await Promise.all(
        [...groups].map(async ([signature, group]) => {
          const [sample] = group;
          if (sample)
            answers.set(signature, await read([...new Set(group.map(({ jobId }) => jobId))], sample));
        }),
      );
      return keys.map((key) => answers.get(signatureOf(key))?.get(key.jobId) ?? absent);
    },
    { cache: false },
  );
}
