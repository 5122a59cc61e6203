import type { Prisma } from '../../generated/prisma/client.ts';
import { type Column, toPrismaWhere } from './prisma-where.ts';
import { type FieldSpecs, readWhere, type WhereInput } from './read-where.ts';

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
  tags: { someRow: (tag) => ({ job: { tagAssociations: { some: { tag } } } }) },
};

const OPEN = { redrivenAt: null, discardedAt: null } as const satisfies Prisma.DeadLetterWhereInput;
const CLOSED = {
  OR: [{ redrivenAt: { not: null } }, { discardedAt: { not: null } }],
} satisfies Prisma.DeadLetterWhereInput;

/**
 * The dead letters that a `where` selects; open and closed ones alike, unless it says which.
 *
 * @throws GraphQLError BAD_USER_INPUT, see {@link readWhere}
 */
export function deadLettersMatching(where: WhereInput | null | undefined): Prisma.DeadLetterWhereInput {
  const { open, ...rest } = where ?? {};
  const named: Prisma.DeadLetterWhereInput = toPrismaWhere(readWhere(rest, SPECS), COLUMNS);
  return typeof open === 'boolean' ? { AND: [open ? OPEN : CLOSED, named] } : named;
}
