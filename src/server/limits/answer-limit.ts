import { getOperationAST } from 'graphql';
import type { DocumentNode, GraphQLError, GraphQLSchema, OperationDefinitionNode } from 'graphql';
import { MAX_ANSWER_BYTES, MAX_ANSWER_FIELDS } from './limits.ts';
import { type Answer, type Asked, measureAnswer, sentAs } from './measure-answer.ts';
import { limitExceeded } from './query-limits.ts';

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
        `${maxBytes} bytes in its answer (MAX_ANSWER_BYTES), each value counted as long as it may be`,
      );
    },
    bytesOf: (asked) => answerOf(asked).bytes,
  };
}

/** Clients ask again with pages of the same size. */
function isAsLarge({ sizes }: Answer, variables: Asked['variables']): boolean {
  for (const [name, value] of sizes) if (sentAs(name, variables) !== value) return false;
  return true;
}

/** Among the values that a client sends, only numbers always have a small size. */
function mayBeKept({ sizes }: Answer): boolean {
  for (const value of sizes.values())
    if (typeof value !== 'number' && value !== undefined && value !== null) return false;
  return true;
}
