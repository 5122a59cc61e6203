import {
  getNamedType,
  getNullableType,
  getOperationAST,
  isCompositeType,
  isInterfaceType,
  isListType,
  isObjectType,
  Kind,
} from 'graphql';
import type {
  DocumentNode,
  FieldNode,
  FragmentDefinitionNode,
  GraphQLError,
  GraphQLField,
  GraphQLNamedType,
  GraphQLSchema,
  OperationDefinitionNode,
  SelectionSetNode,
  ValueNode,
} from 'graphql';
import { DEFAULT_PAGE_SIZE, MAX_PAGE_SIZE } from '../../graphql/connection/page-args.ts';
import type { AnswerSize } from '../../graphql/answer-sizes.ts';
import { MAX_ANSWER_BYTES, MAX_ANSWER_FIELDS } from './limits.ts';
import { limitExceeded } from './query-limits.ts';

/** What is to be executed of a document that is valid. */
export interface Asked {
  document: DocumentNode;
  operationName?: string | null | undefined;
  /** As the client sent them. */
  variables?: Readonly<Record<string, unknown>> | null | undefined;
}

export interface AnswerLimit {
  /** Why an operation is not executed: its answer may become too large. Null where it is. */
  refusalOf: (asked: Asked) => GraphQLError | null;
  /** The bytes that the answer may hold at most. */
  bytesOf: (asked: Asked) => number;
}

/**
 * Limits what an answer may hold. A document is small whatever its answer is: pages in pages multiply, and graphql-js
 * completes every row of them in the process that also runs the jobs.
 */
export function createAnswerLimit(
  schema: GraphQLSchema,
  {
    maxFields = MAX_ANSWER_FIELDS,
    maxBytes = MAX_ANSWER_BYTES,
  }: { maxFields?: number | undefined; maxBytes?: number | undefined } = {},
): AnswerLimit {
  const known = new WeakMap<DocumentNode, Map<OperationDefinitionNode, Answer>>();

  function answerOf({ document, operationName, variables }: Asked): Pick<Answer, 'fields' | 'bytes'> {
    const operation = getOperationAST(document, operationName);
    if (!operation) return { fields: 0, bytes: 0 };
    const ofDocument = known.get(document) ?? new Map<OperationDefinitionNode, Answer>();
    const before = ofDocument.get(operation);
    if (before && isAsLarge(before, variables)) return before;
    const answer = measureAnswer(schema, { document, operation, variables });
    if (mayBeKept(answer)) known.set(document, ofDocument.set(operation, answer));
    return answer;
  }

  return {
    refusalOf(asked) {
      const { fields, bytes } = answerOf(asked);
      if (fields > maxFields) return limitExceeded(`${maxFields} fields in its answer`);
      if (bytes <= maxBytes) return null;
      return limitExceeded(
        `${maxBytes} bytes of long texts and JSON in its answer (MAX_ANSWER_BYTES), each counted as long as it may be`,
      );
    },
    bytesOf: (asked) => answerOf(asked).bytes,
  };
}

/** What an answer may hold at most. */
interface Answer {
  fields: number;
  /** Of long texts and JSON, and of aliases, which each row repeats. */
  bytes: number;
  /** The variables that this depends on, as they were sent. */
  sizes: ReadonlyMap<string, unknown>;
}

/** Clients ask again with pages of the same size. */
function isAsLarge({ sizes }: Answer, variables: Asked['variables']): boolean {
  for (const [name, value] of sizes) if (sentAs(name, variables) !== value) return false;
  return true;
}

/** A variable may be called what every object has, `toString` say. */
function sentAs(name: string, variables: Asked['variables']): unknown {
  return variables && Object.hasOwn(variables, name) ? variables[name] : undefined;
}

/** Of what a client sends, only numbers are small whatever they are. */
function mayBeKept({ sizes }: Answer): boolean {
  for (const value of sizes.values())
    if (typeof value !== 'number' && value !== undefined && value !== null) return false;
  return true;
}

/** Most rows of a list that is no page: what `limit` may be at most. */
const MAX_ROWS = 1_000;

/**
 * Rows of lists that take no argument for it. Most are short, if only because people wrote them: attempts, tags, alerts,
 * errors.
 */
const ROWS = 10;

/** The fields of what was selected: some are there once, others for each row of the page that it is selected of. */
interface Fields {
  once: number;
  perRow: number;
  /** The bytes of the same. */
  onceBytes: number;
  perRowBytes: number;
}

const NONE: Fields = { once: 0, perRow: 0, onceBytes: 0, perRowBytes: 0 };

interface Measured {
  document: DocumentNode;
  operation: OperationDefinitionNode;
  variables?: Asked['variables'];
}

/**
 * The most fields that an answer may hold, rows counted as fields too. What stands in
 * fragments of several types is added up, and `@skip` and `@include` are not looked at.
 *
 * Each fragment is measured once, so the effort is linear in the document however often fragments are spread.
 */
function measureAnswer(schema: GraphQLSchema, { document, operation, variables }: Measured): Answer {
  const fragments = new Map<string, FragmentDefinitionNode>();
  for (const definition of document.definitions) {
    if (definition.kind === Kind.FRAGMENT_DEFINITION) fragments.set(definition.name.value, definition);
  }
  // By the name alone: what a fragment selects, it selects of its own type.
  const measured = new Map<string, Fields>();
  const sizes = new Map<string, unknown>();

  function measureFragment(name: string): Fields {
    const before = measured.get(name);
    if (before) return before;
    const fragment = fragments.get(name);
    const type = fragment && schema.getType(fragment.typeCondition.name.value);
    const fields = type ? measureSelections(fragment.selectionSet, type) : NONE;
    measured.set(name, fields);
    return fields;
  }

  function measureSelections({ selections }: SelectionSetNode, type: GraphQLNamedType): Fields {
    const total = { ...NONE };
    for (const selection of selections) {
      const part = measureSelection(selection, type);
      total.once += part.once;
      total.perRow += part.perRow;
      total.onceBytes += part.onceBytes;
      total.perRowBytes += part.perRowBytes;
    }
    return total;
  }

  function measureSelection(
    selection: SelectionSetNode['selections'][number],
    type: GraphQLNamedType,
  ): Fields {
    if (selection.kind === Kind.FIELD) return measureField(selection, type);
    if (selection.kind === Kind.FRAGMENT_SPREAD) return measureFragment(selection.name.value);
    const { typeCondition, selectionSet } = selection;
    return measureSelections(
      selectionSet,
      (typeCondition && schema.getType(typeCondition.name.value)) ?? type,
    );
  }

  function measureField(node: FieldNode, parent: GraphQLNamedType): Fields {
    const field = fieldOf(parent, node.name.value);
    const alias = node.alias?.value.length ?? 0;
    // Introspection, which has a limit of its own, and __typename.
    if (!field) return { ...NONE, once: 1, onceBytes: alias };
    const type = getNamedType(field.type);
    const inner =
      node.selectionSet && isCompositeType(type) ? measureSelections(node.selectionSet, type) : NONE;
    const ownBytes = alias + (sizeOf(field).longestBytes ?? 0);
    const rowBytes = inner.onceBytes;
    if (isPage(type)) {
      const rows = pageSize(node);
      const onceBytes = ownBytes + rowBytes + rows * inner.perRowBytes;
      return { ...NONE, once: 1 + inner.once + rows * inner.perRow, onceBytes };
    }
    if (!isListType(getNullableType(field.type)))
      return { ...NONE, once: 1 + inner.once, onceBytes: ownBytes + rowBytes };
    const row = 1 + inner.once;
    if (isPage(parent)) return { once: 1, perRow: row, onceBytes: ownBytes, perRowBytes: rowBytes };
    const rows = rowsOf(node, field);
    return { ...NONE, once: 1 + rows * row, onceBytes: ownBytes + rows * rowBytes };
  }

  function pageSize(node: FieldNode): number {
    return (
      numberIn(node, 'first', MAX_PAGE_SIZE) ?? numberIn(node, 'last', MAX_PAGE_SIZE) ?? DEFAULT_PAGE_SIZE
    );
  }

  function rowsOf(node: FieldNode, field: GraphQLField<unknown, unknown>): number {
    for (const arg of field.args) {
      if (arg.name === 'ids') return lengthOf(valueIn(node, 'ids'));
      if (arg.name === 'count' || arg.name === 'limit')
        return numberIn(node, arg.name, MAX_ROWS) ?? bounded(arg.defaultValue, MAX_ROWS);
    }
    return sizeOf(field).rows ?? ROWS;
  }

  /** Null where it is not given. */
  function numberIn(node: FieldNode, argument: string, max: number): number | null {
    const value = valueIn(node, argument);
    return value === undefined || value === null ? null : bounded(value, max);
  }

  function valueIn({ arguments: given = [] }: FieldNode, argument: string): unknown {
    const node = given.find(({ name }) => name.value === argument);
    return node && valueOf(node.value);
  }

  function valueOf(node: ValueNode): unknown {
    if (node.kind !== Kind.VARIABLE) return literal(node);
    const { value: name } = node.name;
    const value = sentAs(name, variables);
    sizes.set(name, value);
    if (value !== undefined) return value;
    const definition = operation.variableDefinitions?.find(({ variable }) => variable.name.value === name);
    return definition?.defaultValue && literal(definition.defaultValue);
  }

  const root = schema.getRootType(operation.operation);
  const total = root ? measureSelections(operation.selectionSet, root) : NONE;
  return { fields: total.once, bytes: total.onceBytes, sizes };
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
