import { getOperationAST, OperationTypeNode } from 'graphql';
import type { DocumentNode, ExecutionArgs, ExecutionResult } from 'graphql';
import type { RequestFacts } from './request-facts.ts';

/** Executes one operation; `isGone` says whether all who asked for it have left. */
export type Run = (args: ExecutionArgs, isGone: () => boolean) => Promise<ExecutionResult>;

type Asker = Pick<RequestFacts, 'viewer' | 'isGone'>;

/** Executes an operation for one of those who ask. Other requests may get the same result, so nobody changes it. */
export type RunFor = (args: ExecutionArgs, asker: Asker) => Promise<ExecutionResult>;

interface Asked {
  askers: Asker[];
  answer: Promise<ExecutionResult>;
}

/**
 * Answers once what several requests ask that come in one turn of the event loop: the same query with the same variables,
 * for viewers with the same fingerprint. So nobody reads what only somebody else may read. The busier the loop is, the more
 * requests wait for it at each turn.
 *
 * The answer is made when the turn is over: a client that writes something and then asks finds it.
 */
export function createQueryCoalescing(run: Run): RunFor {
  let gathered = new Map<DocumentNode, Map<string, Asked>>();
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

  return (args, asker) => {
    const { document, operationName, variableValues } = args;
    if (getOperationAST(document, operationName)?.operation !== OperationTypeNode.QUERY)
      return run(args, asker.isGone);
    const ofDocument = gathered.get(document) ?? new Map<string, Asked>();
    gathered.set(document, ofDocument);
    const key = JSON.stringify([asker.viewer.fingerprint, operationName ?? null, variableValues ?? null]);
    const known = ofDocument.get(key);
    if (known) {
      known.askers.push(asker);
      return known.answer;
    }
    const askers = [asker];
    const answer = endOfTurn().then(() => run(args, () => askers.every(({ isGone }) => isGone())));
    ofDocument.set(key, { askers, answer });
    return answer;
  };
}
