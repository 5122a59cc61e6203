import type DataLoader from 'dataloader';
import type { PrismaClient } from '../../generated/prisma/client.ts';
import { groupedLoader } from './grouped-loader.ts';

/** What is asked of many tags at once; one statement per distinct `limit`. */
export interface TagLoaders {
  /** Ids of the newest jobs that have a tag, newest first. */
  latestJobIds: DataLoader<{ tagId: string; limit: number }, string[]>;
  /** How many jobs have it. */
  jobCounts: DataLoader<{ tagId: string }, number>;
}

interface TagParts {
  prisma: PrismaClient;
  latestTagJobIds: (tagIds: readonly string[], limit: number) => Promise<Map<string, string[]>>;
}

/** Makes the loaders. They remember nothing: they outlive requests, and tags come and go. */
export function createTagLoaders({ prisma, latestTagJobIds }: TagParts): TagLoaders {
  const tagOf = ({ tagId }: { tagId: string }) => tagId;
  return {
    latestJobIds: groupedLoader(
      tagOf,
      ({ limit }) => String(limit),
      (tagIds, { limit }) => latestTagJobIds(tagIds, limit),
      [],
    ),
    jobCounts: groupedLoader(
      tagOf,
      () => '',
      (tagIds) => countJobs(prisma, tagIds),
      0,
    ),
  };
}

async function countJobs(prisma: PrismaClient, tagIds: readonly string[]): Promise<Map<string, number>> {
  const groups = await prisma.jobTagAssociation.groupBy({
    by: ['tagId'],
    where: { tagId: { in: [...tagIds] }, job: { status: { not: 'DELETED' } } },
    _count: true,
  });
  return new Map(groups.map(({ tagId, _count }) => [tagId, _count]));
}
