import type { DocumentNode } from 'graphql';
import type { GraphQLParams } from 'graphql-yoga';
import type { RequestFacts } from './request-facts.ts';

/** Answers one query. */
export type AskQuery<Answer> = (
  document: DocumentNode,
  params: GraphQLParams,
  facts: RequestFacts,
) => Promise<Answer>;

/**
 * Answers once what several requests ask that come in one turn of the event loop: the same document with the same
 * variables, for the same actor, so that nobody reads what only somebody else may. Of a dashboard that many people have
 * open, the busier the loop is, the more requests wait for it at each turn.
 *
 * The answer is made when the turn is over: whoever writes something and then asks finds it, as if they asked alone.
 */
export function createQueryCoalescing<Answer>(ask: AskQuery<Answer>): AskQuery<Answer> {
  let gathered = new Map<DocumentNode, Map<string, Promise<Answer>>>();
  let turn: Promise<void> | null = null;

  /** Resolves when everything was read that has come in this turn. */
  const endOfTurn = () =>
    (turn ??= new Promise((resolve) => {
      setImmediate(() => {
        gathered = new Map();
        turn = null;
        resolve();
      });
    }));

  return (document, params, facts) => {
    const ofDocument = gathered.get(document) ?? new Map<string, Promise<Answer>>();
    gathered.set(document, ofDocument);
    const key = JSON.stringify([facts.actor, params.operationName ?? null, params.variables ?? null]);
    const known = ofDocument.get(key);
    if (known) return known;
    const answer = endOfTurn().then(() => ask(document, params, facts));
    ofDocument.set(key, answer);
    return answer;
  };
}
