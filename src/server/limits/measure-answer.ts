import {
  getNamedType,
  getNullableType,
  isCompositeType,
  isEnumType,
  isInterfaceType,
  isListType,
  isObjectType,
  Kind,
} from 'graphql';
import type {
  DocumentNode,
  FieldNode,
  FragmentDefinitionNode,
  GraphQLField,
  GraphQLNamedType,
  GraphQLSchema,
  OperationDefinitionNode,
  SelectionNode,
  SelectionSetNode,
  ValueNode,
} from 'graphql';
import { DEFAULT_PAGE_SIZE, MAX_PAGE_SIZE } from '../../graphql/connection/page-args.ts';
import type { AnswerSize } from '../../graphql/answer-sizes.ts';

/** What is to be executed of a document that is valid. */
export interface Asked {
  document: DocumentNode;
  operationName?: string | null | undefined;
  /** As the client sent them. */
  variables?: Readonly<Record<string, unknown>> | null | undefined;
}

/** What an answer may hold at most. */
export interface Answer {
  fields: number;
  /** Of its JSON. */
  bytes: number;
  /** The variables that this depends on, as they were sent. */
  sizes: ReadonlyMap<string, unknown>;
}

/** A variable may be called what every object has, `toString` say. */
export function sentAs(name: string, variables: Asked['variables']): unknown {
  return variables && Object.hasOwn(variables, name) ? variables[name] : undefined;
}

/** Most rows of a list that is no page: what `limit` may be at most. */
const MAX_ROWS = 1_000;

/**
 * Rows of lists that take no argument for it. Most are short, if only because people wrote them: attempts, tags, alerts,
 * errors.
 */
const ROWS = 10;

/** Bytes of values as JSON where their field says nothing else. */
const LEAF_BYTES: Readonly<Record<string, number>> = { Boolean: 5, Int: 11, Float: 24, DateTime: 26, ID: 66 };
/** Of a text, or a JSON value, whose field says nothing. */
const SHORT_TEXT_BYTES = 258;

/** Quotes and colon around a name, and the comma behind its value. */
const AROUND_NAME_BYTES = 4;
/** The brackets of an object or a list, and the comma behind an item. */
const BRACKETS_BYTES = 2;
const COMMA_BYTES = 1;

/** The fields of what was selected: some are there once, others for each row of the page that it is selected of. */
interface Fields {
  once: number;
  perRow: number;
  /** The bytes of the same. */
  onceBytes: number;
  perRowBytes: number;
}

const NONE: Fields = { once: 0, perRow: 0, onceBytes: 0, perRowBytes: 0 };

/** What is being measured, and what is known of it so far. */
interface Measuring {
  schema: GraphQLSchema;
  operation: OperationDefinitionNode;
  variables: Asked['variables'];
  fragments: ReadonlyMap<string, FragmentDefinitionNode>;
  /** Fragments by their name alone: what one selects, it selects of its own type. */
  measured: Map<string, Fields>;
  sizes: Map<string, unknown>;
}

/**
 * The most fields that an answer may hold, rows counted as fields too, and their bytes. What stands in fragments of several
 * types is added up, and `@skip` and `@include` are not looked at.
 *
 * Each fragment is measured once, so the effort is linear in the document however often fragments are spread.
 */
export function measureAnswer(
  schema: GraphQLSchema,
  {
    document,
    operation,
    variables,
  }: Pick<Asked, 'document' | 'variables'> & { operation: OperationDefinitionNode },
): Answer {
  const fragments = new Map<string, FragmentDefinitionNode>();
  for (const definition of document.definitions) {
    if (definition.kind === Kind.FRAGMENT_DEFINITION) fragments.set(definition.name.value, definition);
  }
  const sizes = new Map<string, unknown>();
  const measuring = { schema, operation, variables, fragments, measured: new Map<string, Fields>(), sizes };
  const root = schema.getRootType(operation.operation);
  const total = root ? ofSelections(measuring, operation.selectionSet, root) : NONE;
  return { fields: total.once, bytes: total.onceBytes, sizes };
}

function ofFragment(measuring: Measuring, name: string): Fields {
  const { fragments, measured, schema } = measuring;
  const before = measured.get(name);
  if (before) return before;
  const fragment = fragments.get(name);
  const type = fragment && schema.getType(fragment.typeCondition.name.value);
  const fields = type ? ofSelections(measuring, fragment.selectionSet, type) : NONE;
  measured.set(name, fields);
  return fields;
}

function ofSelections(
  measuring: Measuring,
  { selections }: SelectionSetNode,
  type: GraphQLNamedType,
): Fields {
  const total = { ...NONE };
  for (const selection of selections) {
    const part = ofSelection(measuring, selection, type);
    total.once += part.once;
    total.perRow += part.perRow;
    total.onceBytes += part.onceBytes;
    total.perRowBytes += part.perRowBytes;
  }
  return total;
}

function ofSelection(measuring: Measuring, selection: SelectionNode, type: GraphQLNamedType): Fields {
  if (selection.kind === Kind.FIELD) return ofField(measuring, selection, type);
  if (selection.kind === Kind.FRAGMENT_SPREAD) return ofFragment(measuring, selection.name.value);
  const { typeCondition, selectionSet } = selection;
  const narrowed = typeCondition && measuring.schema.getType(typeCondition.name.value);
  return ofSelections(measuring, selectionSet, narrowed ?? type);
}

function ofField(measuring: Measuring, node: FieldNode, parent: GraphQLNamedType): Fields {
  const field = fieldOf(parent, node.name.value);
  const nameBytes = (node.alias ?? node.name).value.length + AROUND_NAME_BYTES;
  // Introspection, which has a limit of its own, and __typename.
  if (!field) return { ...NONE, once: 1, onceBytes: nameBytes + SHORT_TEXT_BYTES };
  const type = getNamedType(field.type);
  const isComposite = isCompositeType(type);
  const inner = node.selectionSet && isComposite ? ofSelections(measuring, node.selectionSet, type) : NONE;
  const valueBytes = isComposite ? BRACKETS_BYTES + inner.onceBytes : leafBytes(field, type);
  if (isPage(type)) {
    const rows = pageSize(measuring, node);
    const onceBytes = nameBytes + valueBytes + rows * inner.perRowBytes;
    return { ...NONE, once: 1 + inner.once + rows * inner.perRow, onceBytes };
  }
  if (!isListType(getNullableType(field.type)))
    return { ...NONE, once: 1 + inner.once, onceBytes: nameBytes + valueBytes };
  const row = 1 + inner.once;
  const rowBytes = valueBytes + COMMA_BYTES;
  const listBytes = nameBytes + BRACKETS_BYTES;
  if (isPage(parent)) return { once: 1, perRow: row, onceBytes: listBytes, perRowBytes: rowBytes };
  const rows = rowsOf(measuring, node, field);
  return { ...NONE, once: 1 + rows * row, onceBytes: listBytes + rows * rowBytes };
}

function leafBytes(field: GraphQLField<unknown, unknown>, type: GraphQLNamedType): number {
  const { longestBytes } = sizeOf(field);
  if (longestBytes !== undefined) return longestBytes;
  return isEnumType(type) ? LONGEST_ENUM_BYTES : (LEAF_BYTES[type.name] ?? SHORT_TEXT_BYTES);
}

/** No value of an enum is longer. */
const LONGEST_ENUM_BYTES = 40;

function pageSize(measuring: Measuring, node: FieldNode): number {
  return (
    numberIn(measuring, node, 'first', MAX_PAGE_SIZE) ??
    numberIn(measuring, node, 'last', MAX_PAGE_SIZE) ??
    DEFAULT_PAGE_SIZE
  );
}

function rowsOf(measuring: Measuring, node: FieldNode, field: GraphQLField<unknown, unknown>): number {
  for (const arg of field.args) {
    if (arg.name === 'ids') return lengthOf(valueIn(measuring, node, 'ids'));
    if (arg.name === 'count' || arg.name === 'limit')
      return numberIn(measuring, node, arg.name, MAX_ROWS) ?? bounded(arg.defaultValue, MAX_ROWS);
  }
  return sizeOf(field).rows ?? ROWS;
}

/** Null where it is not given. */
function numberIn(measuring: Measuring, node: FieldNode, argument: string, max: number): number | null {
  const value = valueIn(measuring, node, argument);
  return value === undefined || value === null ? null : bounded(value, max);
}

function valueIn(measuring: Measuring, { arguments: given = [] }: FieldNode, argument: string): unknown {
  const node = given.find(({ name }) => name.value === argument);
  return node && valueOf(measuring, node.value);
}

function valueOf({ operation, sizes, variables }: Measuring, node: ValueNode): unknown {
  if (node.kind !== Kind.VARIABLE) return literal(node);
  const { value: name } = node.name;
  const value = sentAs(name, variables);
  sizes.set(name, value);
  if (value !== undefined) return value;
  const definition = operation.variableDefinitions?.find(({ variable }) => variable.name.value === name);
  return definition?.defaultValue && literal(definition.defaultValue);
}

function sizeOf({ extensions }: GraphQLField<unknown, unknown>): AnswerSize {
  return (extensions['answerSize'] as AnswerSize | undefined) ?? {};
}

function fieldOf(type: GraphQLNamedType, name: string): GraphQLField<unknown, unknown> | undefined {
  return isObjectType(type) || isInterfaceType(type) ? type.getFields()[name] : undefined;
}

/** A connection, whose rows are as many as the arguments of the field say that leads to it. */
function isPage(type: GraphQLNamedType): boolean {
  return fieldOf(type, 'pageInfo') !== undefined;
}

function literal(node: ValueNode): unknown {
  if (node.kind === Kind.NULL) return null;
  if (node.kind === Kind.INT) return Number(node.value);
  return node.kind === Kind.LIST ? node.values : node;
}

/** What is no number, or one that is too large, is refused later; until then it is as large as can be. */
function bounded(value: unknown, max: number): number {
  return typeof value === 'number' && value <= max ? Math.max(value, 0) : max;
}

function lengthOf(ids: unknown): number {
  if (Array.isArray(ids)) return Math.min(ids.length, MAX_ROWS);
  // A single one stands for a list of it.
  return 1;
}
