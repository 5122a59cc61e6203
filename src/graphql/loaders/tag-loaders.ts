import type DataLoader from 'dataloader';
import type { PageRequest } from '../../domain/execution/page-request.ts';
import type { PrismaClient, Tag } from '../../generated/prisma/client.ts';
import { pageSignature } from './page-signature.ts';
import { groupedLoader } from './grouped-loader.ts';

/** What is asked of many tags at once, or of the tags of many jobs; one statement for each distinct question. */
export interface TagLoaders {
  /** The tags that a job has, in the order of their names. */
  ofJob: DataLoader<{ jobId: string }, Tag[]>;
  /** Ids of a page of the jobs that have a tag, by when they were created. */
  jobIds: DataLoader<PageRequest & { tagId: string }, string[]>;
  /** How many jobs have it. */
  jobCounts: DataLoader<{ tagId: string }, number>;
  /** The tag of a name and the jobs that have it, deleted ones too; null where there is none. */
  bearers: DataLoader<{ name: string }, TagBearers | null>;
}

/** A tag, and which jobs have it; null where they are too many to be named. */
interface TagBearers {
  tagId: string;
  jobIds: readonly string[] | null;
}

interface TagParts {
  prisma: PrismaClient;
  tagsOfJobs: (jobIds: readonly string[]) => Promise<Map<string, Tag[]>>;
  jobIdsOfTags: (tagIds: readonly string[], asked: PageRequest) => Promise<Map<string, string[]>>;
  tagBearers: (names: readonly string[], limit: number) => Promise<Map<string, TagBearers>>;
}

/** Jobs of a tag that are still named one by one. */
const FEW_JOBS = 500;

/** Makes the loaders. They remember nothing: they outlive requests, and tags come and go. */
export function createTagLoaders({ prisma, tagsOfJobs, jobIdsOfTags, tagBearers }: TagParts): TagLoaders {
  const tagOf = ({ tagId }: { tagId: string }) => tagId;
  return {
    ofJob: groupedLoader<{ jobId: string }, Tag[]>(
      ({ jobId }) => jobId,
      () => '',
      (jobIds) => tagsOfJobs(jobIds),
      [],
    ),
    jobIds: groupedLoader(tagOf, pageSignature, jobIdsOfTags, []),
    jobCounts: groupedLoader(
      tagOf,
      () => '',
      (tagIds) => countJobs(prisma, tagIds),
      0,
    ),
    bearers: groupedLoader<{ name: string }, TagBearers | null>(
      ({ name }) => name,
      () => '',
      (names) => tagBearers(names, FEW_JOBS),
      null,
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
