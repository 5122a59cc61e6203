import { getOperationAST, visit } from 'graphql';
import type { DocumentNode } from 'graphql';

const known = new WeakMap<DocumentNode, Map<string | null, readonly string[]>>();

/**
 * The names of the variables that what a subscription tells of an event depends on: all but those that stand only in the
 * arguments of the subscribed field itself.
 */
export function variablesOfResult(document: DocumentNode, operationName: string | null): readonly string[] {
  const ofDocument = known.get(document) ?? new Map<string | null, readonly string[]>();
  known.set(document, ofDocument);
  let names = ofDocument.get(operationName);
  if (!names) {
    names = find(document, operationName);
    ofDocument.set(operationName, names);
  }
  return names;
}

function find(document: DocumentNode, operationName: string | null): readonly string[] {
  const names = new Set<string>();
  const subscribed = new Set<unknown>(getOperationAST(document, operationName)?.selectionSet.selections);
  visit(document, {
    // Another operation's variables are none of this one's, and harmless: they have no values.
    VariableDefinition: () => false,
    Argument: (_node, _key, _parent, _path, ancestors) =>
      subscribed.has(ancestors.at(-1)) ? false : undefined,
    Variable: ({ name }) => {
      names.add(name.value);
    },
  });
  return [...names].sort();
}
