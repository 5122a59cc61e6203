import SchemaBuilder from '@pothos/core';
import DataloaderPlugin from '@pothos/plugin-dataloader';
import PrismaPlugin from '@pothos/plugin-prisma';
import RelayPlugin from '@pothos/plugin-relay';
import ScopeAuthPlugin from '@pothos/plugin-scope-auth';
import { encodePublicId, ID_PREFIXES, type PublicIdKind } from '../domain/values/public-id.ts';
import type PrismaTypes from '../generated/pothos.ts';
import { getDatamodel } from '../generated/pothos.ts';
import { longestBytes } from './answer-sizes.ts';
import './columns-at-hand.ts';
import { DEFAULT_PAGE_SIZE, MAX_PAGE_SIZE } from './connection/page-args.ts';
import type { GraphqlContext } from './context.ts';
import { forbiddenField, type RoleScope, scopesOf } from './roles.ts';

/** In base64, of a job's name as JSON and of what else a place has. */
const LONGEST_CURSOR = longestBytes(2_000);

/** Makes the schema's types; each file of types/ adds its own. Fields are non-null unless they say otherwise. */
export const builder = new SchemaBuilder<{
  Context: GraphqlContext;
  AuthScopes: RoleScope;
  PrismaTypes: PrismaTypes;
  DefaultFieldNullability: false;
  DefaultEdgesNullability: { list: false; items: false };
  DefaultNodeNullability: false;
  /** Counted only when it is asked for. */
  Connection: { totalCount: () => Promise<number> };
  Scalars: {
    ID: { Input: string; Output: string };
    DateTime: { Input: Date; Output: Date };
    JSON: { Input: unknown; Output: unknown };
  };
}>({
  plugins: [ScopeAuthPlugin, 'declaredRoles', DataloaderPlugin, RelayPlugin, 'columnsAtHand', PrismaPlugin],
  defaultFieldNullability: false,
  scopeAuth: {
    authScopes: ({ viewer }) => scopesOf(viewer),
    authorizeOnSubscribe: true,
    unauthorizedError: (_parent, { viewer }, info) => forbiddenField(info, viewer),
  },
  prisma: {
    client: (context) => context.prisma,
    dmmf: getDatamodel(),
    exposeDescriptions: false,
  },
  relay: {
    encodeGlobalID: (typename, id) => encodePublicId(typename as PublicIdKind, String(id)),
    // Ids in inputs are plain IDs, read where they are used: a malformed one names nothing and is no error.
    decodeGlobalID: () => {
      throw new Error('No argument is of Pothos’ own global id type');
    },
    idFieldOptions: {
      description: `Opaque and unique: ${Object.values(ID_PREFIXES).join(', ')}, then 26 characters that sort by creation.`,
    },
    nodeQueryOptions: false,
    nodesQueryOptions: false,
    nodeTypeOptions: { description: 'Anything with an id of its own.' },
    pageInfoTypeOptions: { description: 'Where a page stands in its connection.' },
    pageInfoFieldOptions: { description: 'Where this page stands.' },
    hasNextPageFieldOptions: { description: 'Whether rows follow behind `endCursor`.' },
    hasPreviousPageFieldOptions: { description: 'Whether rows stand before `startCursor`.' },
    startCursorFieldOptions: {
      extensions: LONGEST_CURSOR,
      description: 'Cursor of the first row; null on an empty page.',
    },
    endCursorFieldOptions: {
      extensions: LONGEST_CURSOR,
      description: 'Cursor of the last row; null on an empty page. Pass it as `after`.',
    },
    cursorFieldOptions: {
      extensions: LONGEST_CURSOR,
      description: 'Opaque; valid for the same `orderBy` only, also after the row is gone.',
    },
    edgesFieldOptions: {
      description: 'The rows of the page, each with its cursor.',
      nullable: { list: false, items: false },
    },
    nodeFieldOptions: { description: 'The row.', nullable: false },
    nodesOnConnection: { description: 'The rows of the page, without their cursors.' },
    defaultConnectionTypeOptions: { description: 'A page of a list.' },
    defaultEdgeTypeOptions: { description: 'A row of a page.' },
    firstArgOptions: {
      description: `Rows from the start, 0 to ${MAX_PAGE_SIZE}; ${DEFAULT_PAGE_SIZE} where neither \`first\` nor \`last\` is given.`,
    },
    lastArgOptions: { description: `Rows from the end, 0 to ${MAX_PAGE_SIZE}; not together with \`first\`.` },
    afterArgOptions: { description: 'Only rows behind this cursor.' },
    beforeArgOptions: { description: 'Only rows before this cursor.' },
  },
});

builder.globalConnectionField('totalCount', (t) =>
  t.int({
    description: 'Rows on all pages, as `where` selects them; counted only when it is asked for.',
    resolve: ({ totalCount }) => totalCount(),
  }),
);

/** What the fields of an input type are made with. */
export type InputFieldBuilder = Parameters<Parameters<typeof builder.inputType>[1]['fields']>[0];
