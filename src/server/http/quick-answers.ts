import { execute, getOperationAST, OperationTypeNode } from 'graphql';
import type { DocumentNode, ExecutionResult, GraphQLSchema } from 'graphql';
import type { GraphQLParams } from 'graphql-yoga';
import type { RefuseLargeAnswer } from '../limits/answer-limit.ts';
import { compressible, type Compressible } from './compression.ts';
import type { DocumentCache } from './document-cache.ts';
import { type ErrorMask, maskResult } from './error-mask.ts';
import { createQueryCoalescing } from './query-coalescing.ts';
import type { PersistedOperations } from './persisted-operations.ts';
import type { RequestFacts } from './request-facts.ts';

/** What an operation came to. */
export interface QuickAnswer {
  /** With its errors masked. */
  result: ExecutionResult;
  /** The result as JSON; null where there are errors, of which Yoga says how they are told. */
  body: Compressible | null;
}

/**
 * Answers over HTTP what was asked before. Yoga parses, validates and negotiates once for each document and each `Accept`;
 * what it has found is remembered, and later requests are executed without making a Request and a Response for Yoga. No check
 * is left out: what is not known to have passed them all goes the ordinary way.
 */
export interface QuickAnswers {
  /**
   * The answer to a query or mutation that is known to be valid; null for anything else, of which nothing was executed.
   */
  execute: (params: GraphQLParams, facts: RequestFacts) => Promise<QuickAnswer | null> | null;
  /** The type of an answer without errors for whoever accepts this; undefined where it is not known. */
  typeFor: (accept: string) => string | undefined;
  /** To be told of each answer of Yoga's. */
  noteAnswer: (accept: string, answer: Response) => void;
  noteValid: (document: DocumentNode) => void;
}

export interface QuickAnswersOptions {
  schema: GraphQLSchema;
  createContext: (facts: RequestFacts) => object | Promise<object>;
  maskError: ErrorMask;
  persistedOperations: PersistedOperations;
  refuseLargeAnswer: RefuseLargeAnswer;
  documents: Pick<DocumentCache, 'get'>;
}

/** Clients have a handful; a stranger who makes up more of them pushes out the others, which are then asked for again. */
const MAX_ACCEPTED = 64;

export function createQuickAnswers({
  schema,
  createContext,
  maskError,
  persistedOperations,
  refuseLargeAnswer,
  documents,
}: QuickAnswersOptions): QuickAnswers {
  const valid = new WeakSet<DocumentNode>();
  const types = new Map<string, string>();

  function documentOf(params: GraphQLParams): DocumentNode | undefined {
    try {
      const query = persistedOperations.queryOf(params);
      const document = query === undefined ? undefined : documents.get(query);
      return document !== undefined && valid.has(document) ? document : undefined;
    } catch {
      // Refused: told by whoever tells of it the ordinary way.
      return undefined;
    }
  }

  /** Null where nothing was executed, because of a variable for one: Yoga then finds the same, and tells of it. */
  async function run(
    document: DocumentNode,
    { variables, operationName }: GraphQLParams,
    facts: RequestFacts,
  ): Promise<QuickAnswer | null> {
    if (refuseLargeAnswer({ document, operationName, variables })) return null;
    let contextValue: object;
    try {
      contextValue = await createContext(facts);
    } catch {
      return null;
    }
    const result = await execute({
      schema,
      document,
      contextValue,
      variableValues: variables ?? null,
      operationName: operationName ?? null,
    });
    if (result.data === undefined) return null;
    return result.errors
      ? { result: maskResult(result, maskError), body: null }
      : { result, body: compressible(JSON.stringify(result)) };
  }

  const runQuery = createQueryCoalescing(run);

  return {
    execute(params, facts) {
      if (!isSound(params)) return null;
      const document = documentOf(params);
      if (document === undefined) return null;
      const kind = getOperationAST(document, params.operationName)?.operation;
      if (kind === OperationTypeNode.QUERY) return runQuery(document, params, facts);
      return kind === OperationTypeNode.MUTATION ? run(document, params, facts) : null;
    },
    typeFor: (accept) => types.get(accept),
    noteAnswer(accept, { status, headers }) {
      const type = headers.get('content-type') ?? '';
      if (status !== 200 || !type.includes('json') || types.get(accept) === type) return;
      types.set(accept, type);
      for (const oldest of types.keys()) {
        if (types.size <= MAX_ACCEPTED) break;
        types.delete(oldest);
      }
    },
    noteValid(document) {
      valid.add(document);
    },
  };
}

const NAMES = new Set(['query', 'operationName', 'variables', 'extensions', 'documentId']);

/** Whether parameters are what GraphQL over HTTP wants them to be; those that are not are refused by Yoga. */
function isSound(params: GraphQLParams): boolean {
  const { query, operationName, variables, extensions } = params as Record<string, unknown>;
  return (
    Object.keys(params).every((name) => NAMES.has(name)) &&
    (query === undefined || typeof query === 'string') &&
    (operationName === undefined || operationName === null || typeof operationName === 'string') &&
    isAbsentOrObject(variables) &&
    isAbsentOrObject(extensions)
  );
}

function isAbsentOrObject(value: unknown): boolean {
  return value === undefined || value === null || (typeof value === 'object' && !Array.isArray(value));
}
