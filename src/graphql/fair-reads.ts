import { createLimiter } from '../async/limiter.ts';
import { boundedMemo } from '../domain/values/bounded-memo.ts';
import type { PrismaClient } from '../generated/prisma/client.ts';

/** Callers that are told apart. One that comes after so many others begins anew. */
const MAX_CALLERS = 1_000;

/** Looks for rows by their keys are quick, and Prisma makes one statement of all those of one turn. */
const UNBOUNDED: ReadonlySet<string> = new Set(['findUnique', 'findUniqueOrThrow']);

/**
 * Prisma for one caller after the other: of each, only so many reads are under way at once, over all its operations.
 * What it asks beyond them waits here and not for a connection, so that others find one.
 */
export function createFairReads(
  prisma: PrismaClient,
  readsPerCaller: number,
): (address: string | null) => PrismaClient {
  const clientOf = boundedMemo(MAX_CALLERS, () => {
    const limiter = createLimiter(readsPerCaller);
    return prisma.$extends({
      query: {
        $allOperations: ({ operation, args, query }) =>
          UNBOUNDED.has(operation) ? query(args) : limiter.take(() => query(args)),
      },
    }) as unknown as PrismaClient;
  });
  return (address) => clientOf(address ?? '');
}
