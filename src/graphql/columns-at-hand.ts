import SchemaBuilder, { BasePlugin, type PothosOutputFieldConfig, type SchemaTypes } from '@pothos/core';
import type { GraphQLFieldResolver } from 'graphql';
import { encodePublicId, ID_PREFIXES, type PublicIdKind } from '../domain/values/public-id.ts';

declare global {
  // eslint-disable-next-line @typescript-eslint/no-namespace -- how Pothos registers plugins
  export namespace PothosSchemaTypes {
    interface Plugins<Types extends SchemaTypes> {
      columnsAtHand: ColumnsAtHand<Types>;
    }
  }
}

type Resolver<Types extends SchemaTypes> = GraphQLFieldResolver<unknown, Types['Context'], object>;
type Field<Types extends SchemaTypes> = PothosOutputFieldConfig<Types>;
type Row = Readonly<Record<string, unknown>>;

/**
 * A plugin of Pothos that resolves a field from its row, where the field is made of columns alone and the row has them. Without
 * it, Pothos looks up for each field of each row which of its plans has read the row, and makes a promise for each id. Where a
 * column is missing, the row was read for something else, and the field goes the ordinary way
 * ([decision 10](../../docs/decisions/0010-columns-at-hand.md)).
 *
 * It stands before Pothos' plugin for Prisma and behind all others.
 */
class ColumnsAtHand<Types extends SchemaTypes> extends BasePlugin<Types> {
  override wrapResolve(ordinary: Resolver<Types>, field: Field<Types>): Resolver<Types> {
    if (isNodeId(field)) return idFromRow(field.parentType, ordinary);
    const columns = columnsOf(field);
    const { resolve } = field;
    if (columns === null || !resolve) return ordinary;
    return (row, args, context, info) =>
      columns.every((column) => (row as Row)[column] !== undefined)
        ? resolve(row, args, context, info)
        : ordinary(row, args, context, info);
  }
}

/**
 * The columns that a field is made of, as it was defined: the column that it exposes, or those of its `select`. Null where it is
 * made of something else as well.
 */
function columnsOf<Types extends SchemaTypes>(field: Field<Types>): string[] | null {
  if (field.kind !== 'PrismaObject') return null;
  const { select }: { select?: unknown } = field.pothosOptions;
  const exposed = field.extensions?.['pothosExposedField'];
  if (select === undefined) return typeof exposed === 'string' ? [exposed] : null;
  if (typeof select !== 'object' || select === null) return null;
  return Object.values(select).every((isSelected) => isSelected === true) ? Object.keys(select) : null;
}

function isNodeId(field: {
  name: string;
  parentType: string;
}): field is { name: 'id'; parentType: PublicIdKind } {
  return field.name === 'id' && field.parentType in ID_PREFIXES;
}

function idFromRow<Types extends SchemaTypes>(
  kind: PublicIdKind,
  ordinary: Resolver<Types>,
): Resolver<Types> {
  const column = kind === 'DeadLetter' ? 'executionId' : 'id';
  return (row, args, context, info) => {
    const uuid = (row as Row)[column];
    return typeof uuid === 'string' ? encodePublicId(kind, uuid) : ordinary(row, args, context, info);
  };
}

SchemaBuilder.registerPlugin('columnsAtHand', ColumnsAtHand);
