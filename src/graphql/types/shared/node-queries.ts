import { queryFromInfo } from '@pothos/plugin-prisma';
import type { GraphQLResolveInfo } from 'graphql';
import { parsePublicId, type PublicIdKind } from '../../../domain/values/public-id.ts';
import { builder } from '../../builder.ts';
import { needs } from '../../roles.ts';
import type { GraphqlContext } from '../../context.ts';
import { badArgument } from '../../errors.ts';

const MAX_IDS = 100;
type NodeRow = { id: string } & Record<string, unknown>;
type NodeReader = (
  context: GraphqlContext,
  ids: string[],
  select: Record<string, unknown>,
) => Promise<NodeRow[]>;

/** How rows of each kind are read: by one statement, whatever their number. */
const READERS: Readonly<Record<PublicIdKind, NodeReader>> = {
  Job: ({ prisma }, ids, select) =>
    prisma.job.findMany({ where: { id: { in: ids } }, select: { ...select, id: true } }),
  Execution: ({ prisma }, ids, select) =>
    prisma.jobExecution.findMany({ where: { id: { in: ids } }, select: { ...select, id: true } }),
  JobDependency: ({ prisma }, ids, select) =>
    prisma.jobDependency.findMany({ where: { id: { in: ids } }, select: { ...select, id: true } }),
  AuditLogEntry: ({ prisma }, ids, select) =>
    prisma.auditLogEntry.findMany({ where: { id: { in: ids } }, select: { ...select, id: true } }),
  Tag: ({ prisma }, ids, select) =>
    prisma.tag.findMany({ where: { id: { in: ids } }, select: { ...select, id: true } }),
  JobAlert: ({ prisma }, ids, select) =>
    prisma.jobAlert.findMany({ where: { id: { in: ids } }, select: { ...select, id: true } }),
  AlertDelivery: ({ prisma }, ids, select) =>
    prisma.alertDelivery.findMany({ where: { id: { in: ids } }, select: { ...select, id: true } }),
  ApiKey: ({ prisma }, ids, select) =>
    prisma.apiKey.findMany({ where: { id: { in: ids } }, select: { ...select, id: true } }),
  DeadLetter: async ({ prisma }, ids, select) => {
    const where = { executionId: { in: ids } };
    const rows = await prisma.deadLetter.findMany({ where, select: { ...select, executionId: true } });
    return rows.map((row) => ({ ...row, id: row.executionId }));
  },
};

builder.queryFields((t) => ({
  node: t.field({
    authScopes: needs('VIEWER'),
    type: builder.nodeInterfaceRef(),
    nullable: true,
    description: 'Anything by its id; null where there is none, or none any more.',
    args: { id: t.arg.id({ required: true, description: 'The id.' }) },
    resolve: async (_root, { id }, context, info) => (await readNodes([id], context, info))[0] ?? null,
  }),
  nodes: t.field({
    authScopes: needs('VIEWER'),
    type: [builder.nodeInterfaceRef()],
    nullable: { list: false, items: true },
    description: `Anything by its id, in the order of the ids; null where there is none, or none any more. BAD_USER_INPUT where more than ${MAX_IDS} are asked for.`,
    args: { ids: t.arg.idList({ required: true, description: `The ids, ${MAX_IDS} at most.` }) },
    resolve: (_root, { ids }, context, info) => {
      if (ids.length > MAX_IDS)
        throw badArgument('ids', `lists ${ids.length} values; allowed are ${MAX_IDS}.`);
      return readNodes(ids, context, info);
    },
  }),
}));

async function readNodes(
  ids: readonly string[],
  context: GraphqlContext,
  info: GraphQLResolveInfo,
): Promise<(NodeRow | null)[]> {
  const parsed = ids.map(parsePublicId);
  const rows = new Map<string, NodeRow>();
  await Promise.all(
    (Object.keys(READERS) as PublicIdKind[]).map(async (kind) => {
      const uuids = parsed.filter((id) => id?.kind === kind).map((id) => id?.uuid ?? '');
      if (uuids.length === 0) return;
      const { select } = queryFromInfo({ context, info, typeName: kind, select: {} });
      for (const row of await READERS[kind](context, uuids, select)) {
        rows.set(`${kind} ${row.id}`, { ...row, __typename: kind });
      }
    }),
  );
  return parsed.map((id) => (id === null ? null : (rows.get(`${id.kind} ${id.uuid}`) ?? null)));
}
