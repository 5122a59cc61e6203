import { GraphQLError, Kind, OperationTypeNode } from 'graphql';
import type { DirectiveNode, DocumentNode, SelectionSetNode } from 'graphql';
import type { Plugin } from 'graphql-yoga';

/**
 * Refuses `@skip` and `@include` at the root of a subscription, as the specification does since September 2025: it has one
 * field whatever the variables are. graphql-js 16 fails on what has none, and its own check of the root on a variable, so
 * this one goes before it.
 */
export const refuseConditionalSubscriptions: Plugin = {
  onValidate({ params, setResult }) {
    const errors = conditionalSubscriptions(params.documentAST as DocumentNode);
    if (errors.length > 0) setResult(errors);
  },
};

function conditionalSubscriptions(document: DocumentNode): GraphQLError[] {
  return document.definitions.flatMap((definition) =>
    definition.kind === Kind.OPERATION_DEFINITION && definition.operation === OperationTypeNode.SUBSCRIPTION
      ? conditionsIn(definition.selectionSet, document, new Set()).map(notAtTheRoot)
      : [],
  );
}

const CONDITIONS = new Set(['skip', 'include']);

/** Of all selections at the root, those that stand in fragments too. */
function conditionsIn(
  { selections }: SelectionSetNode,
  document: DocumentNode,
  spread: Set<string>,
): DirectiveNode[] {
  return selections.flatMap((selection) => {
    const own = (selection.directives ?? []).filter(({ name }) => CONDITIONS.has(name.value));
    if (selection.kind === Kind.FIELD) return own;
    if (selection.kind === Kind.INLINE_FRAGMENT) {
      return [...own, ...conditionsIn(selection.selectionSet, document, spread)];
    }
    const { value: name } = selection.name;
    if (spread.has(name)) return own;
    spread.add(name);
    const inner = fragmentNamed(name, document);
    return inner ? [...own, ...conditionsIn(inner, document, spread)] : own;
  });
}

function fragmentNamed(wanted: string, { definitions }: DocumentNode): SelectionSetNode | undefined {
  for (const definition of definitions) {
    if (definition.kind === Kind.FRAGMENT_DEFINITION && definition.name.value === wanted) {
      return definition.selectionSet;
    }
  }
  return undefined;
}

function notAtTheRoot(directive: DirectiveNode): GraphQLError {
  return new GraphQLError(`The field of a subscription may not depend on @${directive.name.value}.`, {
    nodes: directive,
    extensions: { code: 'GRAPHQL_VALIDATION_FAILED' },
  });
}
