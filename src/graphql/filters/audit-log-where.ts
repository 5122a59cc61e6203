import type { Prisma } from '../../generated/prisma/client.ts';
import { type Column, toPrismaWhere } from './prisma-where.ts';
import { type FieldSpecs, readWhere, type WhereInput } from './read-where.ts';

type AuditLogField = 'jobId' | 'action' | 'actor' | 'at';

const SPECS: FieldSpecs<AuditLogField> = {
  jobId: { kind: 'ids', idKind: 'Job' },
  action: { kind: 'values' },
  actor: { kind: 'text' },
  at: { kind: 'instant' },
};

const COLUMNS: Readonly<Record<AuditLogField, Column>> = {
  jobId: { name: 'jobId', nullable: true },
  action: { name: 'action', nullable: false },
  actor: { name: 'actor', nullable: false },
  at: { name: 'at', nullable: false },
};

/**
 * The audit entries that a `where` selects.
 *
 * @throws GraphQLError BAD_USER_INPUT, see {@link readWhere}
 */
export function auditEntriesMatching(where: WhereInput | null | undefined): Prisma.AuditLogEntryWhereInput {
  return toPrismaWhere(readWhere(where, SPECS), COLUMNS);
}
