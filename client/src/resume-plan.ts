import { Kind, OperationTypeNode } from 'graphql';
import type { DocumentNode, FieldNode, OperationDefinitionNode, SelectionSetNode } from 'graphql';
import { feedFields } from './generated/schema-facts.ts';

/** How a feed tells its items, under the names that the document gives them, and how it is told where to go on. */
export interface FeedPlan {
  kind: 'feed';
  field: string;
  /** The variable that takes the cursor to go on behind. */
  after: string;
  /** The item's name in the result's data. */
  item: string;
  /** What an event calls its cursor, and a gap the one behind it. */
  cursor: string;
  toCursor: string;
}

export type ResumePlan =
  | FeedPlan
  /** Nothing to go on from: it is simply asked for anew, like figures that are current whenever they come. */
  | { kind: 'plain' }
  /** A feed, but the document leaves out what resuming takes. */
  | { kind: 'refused'; reason: string };

/**
 * Reads off a document how its subscription can go on after a break. A feed is a subscription whose field takes `after`;
 * to resume, the document must hand it a variable and select each item's cursor, under whatever names. Nothing is added
 * to the document: a server may allow only those that it knows.
 */
export function planResume(document: DocumentNode, operationName?: string | null): ResumePlan {
  const operation = findOperation(document, operationName);
  if (operation?.operation !== OperationTypeNode.SUBSCRIPTION) return { kind: 'plain' };
  const root = selectedFields(document, operation.selectionSet)[0]?.field;
  if (!root) return { kind: 'plain' };
  const after = root.arguments?.find(({ name }) => name.value === 'after')?.value;
  if (!after && !feedFields.includes(root.name.value)) return { kind: 'plain' };

  const item = root.selectionSet ? selectedFields(document, root.selectionSet) : [];
  const cursor = item.find(({ field, on }) => field.name.value === 'cursor' && on !== 'FeedGap')?.field;
  const toCursor = item.find(({ field }) => field.name.value === 'toCursor')?.field;
  const missing = [
    after?.kind !== Kind.VARIABLE && 'pass a variable as `after`',
    !cursor && 'select `cursor` of its events',
    !toCursor && 'select `... on FeedGap { toCursor }`',
    cursor && toCursor && keyOf(cursor) === keyOf(toCursor) && 'give `cursor` and `toCursor` different names',
  ].filter((one) => typeof one === 'string');
  if (after?.kind !== Kind.VARIABLE || !cursor || !toCursor || missing.length > 0)
    return { kind: 'refused', reason: refusal(operation, root, missing) };
  return {
    kind: 'feed',
    field: root.name.value,
    after: after.name.value,
    item: keyOf(root),
    cursor: keyOf(cursor),
    toCursor: keyOf(toCursor),
  };
}

function refusal(operation: OperationDefinitionNode, root: FieldNode, missing: readonly string[]): string {
  const name = operation.name ? ` ${operation.name.value}` : '';
  return (
    `The subscription${name} could lose events: ${root.name.value} cannot go on after a break. ` +
    `The document must ${missing.join(', and ')}; or subscribe with { resume: false }.`
  );
}

function findOperation(
  document: DocumentNode,
  operationName?: string | null,
): OperationDefinitionNode | undefined {
  const operations = document.definitions.filter(
    (definition) => definition.kind === Kind.OPERATION_DEFINITION,
  );
  return operationName ? operations.find(({ name }) => name?.value === operationName) : operations[0];
}

interface SelectedField {
  field: FieldNode;
  /** The innermost type that the selection is limited to. */
  on: string | null;
}

/** The fields that a selection certainly has: fragments are written out, and what hangs on a directive is left out. */
function selectedFields(
  document: DocumentNode,
  { selections }: SelectionSetNode,
  on: string | null = null,
): SelectedField[] {
  return selections.flatMap((selection) => {
    if (selection.directives?.length) return [];
    if (selection.kind === Kind.FIELD) return [{ field: selection, on }];
    const fragment =
      selection.kind === Kind.INLINE_FRAGMENT ? selection : findFragment(document, selection.name.value);
    if (!fragment) return [];
    return selectedFields(document, fragment.selectionSet, fragment.typeCondition?.name.value ?? on);
  });
}

function findFragment(document: DocumentNode, name: string) {
  return document.definitions
    .filter((definition) => definition.kind === Kind.FRAGMENT_DEFINITION)
    .find((fragment) => fragment.name.value === name);
}

/** The field's name in the result. */
function keyOf({ alias, name }: FieldNode): string {
  return (alias ?? name).value;
}
