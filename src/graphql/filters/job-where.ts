import type { Prisma } from '../../generated/prisma/client.ts';
import { type Condition, mentions } from './condition.ts';
import { type Column, toPrismaWhere } from './prisma-where.ts';
import { type FieldSpecs, readWhere, type WhereInput } from './read-where.ts';

type JobField = 'id' | 'key' | 'name' | 'status' | 'api' | 'nextRunAt' | 'createdAt';

const SPECS: FieldSpecs<JobField> = {
  id: { kind: 'ids', idKind: 'Job' },
  key: { kind: 'text' },
  name: { kind: 'text' },
  status: { kind: 'values' },
  api: { kind: 'text' },
  nextRunAt: { kind: 'instant' },
  createdAt: { kind: 'instant' },
};

const COLUMNS: Readonly<Record<JobField, Column>> = {
  id: { name: 'id', nullable: false },
  key: { name: 'key', nullable: true },
  name: { name: 'name', nullable: false },
  status: { name: 'status', nullable: false },
  api: { name: 'api', nullable: false },
  nextRunAt: { name: 'nextRunAt', nullable: true },
  createdAt: { name: 'createdAt', nullable: false },
};

const NOT_DELETED: Condition<JobField> = {
  kind: 'not',
  of: { kind: 'test', field: 'status', test: { op: 'in', values: ['DELETED'] } },
};

/**
 * The jobs that a `where` selects. Deleted jobs are left out unless the `where` says something about the status.
 *
 * @throws GraphQLError BAD_USER_INPUT, see {@link readWhere}
 */
export function jobsMatching(where: WhereInput | null | undefined): Prisma.JobWhereInput {
  const condition = readWhere(where, SPECS);
  const visible: Condition<JobField> = mentions(condition, 'status')
    ? condition
    : { kind: 'all', of: [NOT_DELETED, condition] };
  return toPrismaWhere(visible, COLUMNS);
}
