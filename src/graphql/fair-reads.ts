import { GraphQLError } from 'graphql';
import { createLimiter } from '../async/limiter.ts';
import { boundedMemo } from '../domain/values/bounded-memo.ts';
import type { PrismaClient } from '../generated/prisma/client.ts';

/** Callers that are distinguished. One that comes after so many others begins anew. */
const MAX_CALLERS = 1_000;

/** Looks for rows by their keys are quick, and Prisma makes one statement of all those of one turn. */
const UNBOUNDED: ReadonlySet<string> = new Set(['findUnique', 'findUniqueOrThrow']);

/** Who reads, and whether the connection over which the answer is to go is closed. */
export interface Reader {
  address: string | null;
  isGone: () => boolean;
}

/**
 * Prisma for one operation. Of each caller only so many reads are under way at once, over all its operations. Further reads
 * wait here and not for a connection, so that other callers find one. A read whose client has left is not begun.
 */
export function createFairReads(
  prisma: PrismaClient,
  readsPerCaller: number,
): (reader: Reader) => PrismaClient {
  const limiterOf = boundedMemo(MAX_CALLERS, () => createLimiter(readsPerCaller));
  return ({ address, isGone }) => {
    const limiter = limiterOf(address ?? '');
    return prisma.$extends({
      query: {
        $allOperations({ operation, args, query }) {
          if (UNBOUNDED.has(operation)) return query(args);
          return limiter.take(() => (isGone() ? Promise.reject(clientGone()) : query(args)));
        },
      },
    }) as unknown as PrismaClient;
  };
}

/** Nobody is left to read it; its code keeps it out of the log. */
function clientGone(): GraphQLError {
  return new GraphQLError('The client has left.', { extensions: { code: 'CLIENT_GONE' } });
}
