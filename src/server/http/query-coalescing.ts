import { getOperationAST, OperationTypeNode } from 'graphql';
import type { DocumentNode, ExecutionArgs, ExecutionResult } from 'graphql';
import type { RequestFacts } from './request-facts.ts';

/** Executes one operation. */
export type Run = (args: ExecutionArgs) => Promise<ExecutionResult>;

/** Executes an operation for whoever asks. Other requests may get the same result, so nobody changes it. */
export type RunFor = (args: ExecutionArgs, facts: Pick<RequestFacts, 'actor'>) => Promise<ExecutionResult>;

/**
 * Answers once what several requests ask that come in one turn of the event loop: the same query with the same variables,
 * for the same actor. The actor is part of the key, so nobody reads what only somebody else may read. The busier the loop
 * is, the more requests wait for it at each turn.
 *
 * The answer is made when the turn is over: whoever writes something and then asks finds it.
 */
export function createQueryCoalescing(run: Run): RunFor {
  let gathered = new Map<DocumentNode, Map<string, Promise<ExecutionResult>>>();
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

  return (args, facts) => {
    const { document, operationName, variableValues } = args;
    if (getOperationAST(document, operationName)?.operation !== OperationTypeNode.QUERY) return run(args);
    const ofDocument = gathered.get(document) ?? new Map<string, Promise<ExecutionResult>>();
    gathered.set(document, ofDocument);
    const key = JSON.stringify([facts.actor, operationName ?? null, variableValues ?? null]);
    const known = ofDocument.get(key);
    if (known) return known;
    const answer = endOfTurn().then(() => run(args));
    ofDocument.set(key, answer);
    return answer;
  };
}
