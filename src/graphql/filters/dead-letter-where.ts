import type { Prisma } from '../../generated/prisma/client.ts';
import { type Column, toPrismaWhere } from './prisma-where.ts';
import { lookUpTags } from './tag-lookup.ts';
import type { GraphqlContext } from '../context.ts';
import { type FieldSpecs, isUnfiltered, readWhere, type WhereInput } from './read-where.ts';

type DeadLetterField = 'jobId' | 'failureReason' | 'failedAt' | 'tags';

const SPECS: FieldSpecs<DeadLetterField> = {
  jobId: { kind: 'ids', idKind: 'Job' },
  failureReason: { kind: 'values' },
  failedAt: { kind: 'instant' },
  tags: { kind: 'tags' },
};

const COLUMNS: Readonly<Record<DeadLetterField, Column>> = {
  jobId: { name: 'jobId', nullable: false },
  failureReason: { name: 'failureReason', nullable: false },
  failedAt: { name: 'failedAt', nullable: false },
  tags: { jobId: 'jobId', ofJob: (job) => ({ job }) },
};

const OPEN = { redrivenAt: null, discardedAt: null } as const satisfies Prisma.DeadLetterWhereInput;
const CLOSED = {
  OR: [{ redrivenAt: { not: null } }, { discardedAt: { not: null } }],
} satisfies Prisma.DeadLetterWhereInput;

/** Whether a `where` selects all open dead letters, and nothing else. */
export function isOpenOnly(where: WhereInput | null | undefined): boolean {
  const { open, ...rest } = where ?? {};
  return open === true && isUnfiltered(rest);
}

/**
 * The dead letters that a `where` selects; open and closed ones alike, unless it says which.
 *
 * @throws GraphQLError BAD_USER_INPUT, see {@link readWhere}
 */
export async function deadLettersMatching(
  where: WhereInput | null | undefined,
  context: GraphqlContext,
): Promise<Prisma.DeadLetterWhereInput> {
  const { open, ...rest } = where ?? {};
  const condition = readWhere(rest, SPECS);
  const tags = await lookUpTags(condition, context);
  const named: Prisma.DeadLetterWhereInput = toPrismaWhere(condition, COLUMNS, tags);
  return typeof open === 'boolean' ? { AND: [open ? OPEN : CLOSED, named] } : named;
}
