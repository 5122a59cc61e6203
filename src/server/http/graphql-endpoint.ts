import { execute } from 'graphql';
import type { ExecutionArgs, ExecutionResult, GraphQLSchema } from 'graphql';
import { createYoga } from 'graphql-yoga';
import type { Plugin, YogaServerInstance } from 'graphql-yoga';
import { createAnswerLimit, type RefuseLargeAnswer } from '../limits/answer-limit.ts';
import { shapeAnswers } from './answer-shape.ts';
import { refuseConditionalSubscriptions } from '../websocket/conditional-subscriptions.ts';
import { createDocumentCache } from './document-cache.ts';
import { type ErrorMask, maskResult } from './error-mask.ts';
import { GRAPHQL_PATH, MAX_CACHED_QUERY_CHARACTERS } from '../limits/limits.ts';
import type { OperationContext } from './operation-context.ts';
import type { PersistedOperations } from './persisted-operations.ts';
import type { PeerLimits } from '../limits/peer-limits.ts';
import { parseWithinLimits } from '../limits/query-limits.ts';
import { createQueryCoalescing, type RunFor } from './query-coalescing.ts';
import type { RequestFacts } from './request-facts.ts';
import { createSharedResults } from '../websocket/shared-results.ts';
import { createSubscribe, type Subscribe } from '../websocket/subscribe.ts';

/** Makes the GraphQL context of one operation. What it throws is masked and answers that operation. */
export type CreateContext = (facts: RequestFacts) => object | Promise<object>;

export type GraphqlEndpoint = YogaServerInstance<OperationContext, ForResolvers> & {
  createContext: CreateContext;
  refuseLargeAnswer: RefuseLargeAnswer;
  subscribe: Subscribe;
};

/** What was made for the resolvers, in Yoga's own context, which it would otherwise be copied into. */
interface ForResolvers {
  forResolvers: object;
}

export interface GraphqlEndpointOptions {
  schema: GraphQLSchema;
  createContext: CreateContext;
  maskError: ErrorMask;
  persistedOperations: PersistedOperations;
  peerLimits: PeerLimits;
  /** See `MAX_ANSWER_BYTES` of the limits, which holds where it is left out. */
  maxAnswerBytes?: number | undefined;
}

/**
 * One pipeline for all transports: HTTP asks it for responses, websockets for its parse, validate, limits, context and subscribe,
 * so that limits, masking and context are the same whichever way an operation comes in.
 */
export function createGraphqlEndpoint({
  schema,
  createContext,
  maskError,
  persistedOperations,
  peerLimits,
  maxAnswerBytes,
}: GraphqlEndpointOptions): GraphqlEndpoint {
  const refuseLargeAnswer = createAnswerLimit(
    schema,
    maxAnswerBytes === undefined ? {} : { maxBytes: maxAnswerBytes },
  );
  const runFor = createQueryCoalescing(async (args) => written(maskResult(await execute(args), maskError)));
  const subscribe = createSubscribe(createSharedResults(maskError), peerLimits);
  const yoga = createYoga<OperationContext, ForResolvers>({
    schema,
    graphqlEndpoint: GRAPHQL_PATH,
    context: async ({ facts }) => ({ forResolvers: await createContext(facts) }),
    maskedErrors: { maskError },
    plugins: [
      readParamsFromContext,
      executePersisted(persistedOperations),
      parseLimited,
      refuseConditionalSubscriptions,
      limitAnswers(refuseLargeAnswer),
      runForResolvers(runFor, subscribe),
      shapeAnswers,
    ],
    parserAndValidationCache: {
      documentCache: createDocumentCache(MAX_CACHED_QUERY_CHARACTERS),
      // Refusing a document again is cheap, and remembering refused ones would let a client choose what is kept.
      errorCache: { get: () => undefined, set: () => undefined },
    },
    // The rest of what Yoga can do around GraphQL is done by this folder's own modules, or not wanted.
    batching: false,
    cors: false,
    graphiql: false,
    landingPage: false,
    logging: false,
    maxRequestBodySize: false,
    multipart: false,
    // Yoga's own stream class buffers 16 KB whatever the reader does, and goes on pinging after an error.
    fetchAPI: { ReadableStream },
  });
  return Object.assign(yoga, { createContext, refuseLargeAnswer, subscribe });
}

/** The HTTP transport has read the parameters before Yoga sees the request. */
const readParamsFromContext: Plugin<object, OperationContext> = {
  onRequestParse({ serverContext, setRequestParser }) {
    setRequestParser(() => serverContext.params ?? {});
  },
};

/** Puts the document in the place of its name, or refuses it. */
function executePersisted(persistedOperations: PersistedOperations): Plugin {
  return {
    onParams({ params, setParams }) {
      const query = persistedOperations.queryOf(params);
      const others = { ...params };
      // What it stands for is in its place; Yoga refuses parameters that it does not know.
      delete (others as { documentId?: unknown }).documentId;
      setParams(query === undefined ? others : { ...others, query });
    },
  };
}

const parseLimited: Plugin = {
  onParse({ setParseFn }) {
    setParseFn(parseWithinLimits);
  },
};

function limitAnswers(refuseLargeAnswer: RefuseLargeAnswer): Plugin {
  function refusalOf({ document, operationName, variableValues: variables }: ExecutionArgs) {
    const refusal = refuseLargeAnswer({ document, operationName, variables });
    return refusal && { errors: [refusal] };
  }
  return {
    onExecute({ args, setResultAndStopExecution }) {
      const refusal = refusalOf(args);
      if (refusal) setResultAndStopExecution(refusal);
    },
    onSubscribe({ args, setResultAndStopExecution }) {
      const refusal = refusalOf(args);
      if (refusal) setResultAndStopExecution(refusal);
    },
  };
}

function runForResolvers(
  runFor: RunFor,
  subscribe: Subscribe,
): Plugin<OperationContext & ForResolvers, OperationContext> {
  return {
    onExecute({ args, setExecuteFn }) {
      const { forResolvers: contextValue, facts } = args.contextValue;
      setExecuteFn((given) => runFor({ ...given, contextValue }, facts));
    },
    onSubscribe({ args, setSubscribeFn }) {
      const { forResolvers: contextValue, facts, delivery } = args.contextValue;
      setSubscribeFn((given) => subscribe({ ...given, contextValue }, delivery, facts));
    },
  };
}

/** A result that several requests may share is written as JSON once: Yoga asks it to write itself. */
function written(result: ExecutionResult): ExecutionResult {
  if (result.errors) return result;
  let json: string | undefined;
  return { ...result, stringify: () => (json ??= JSON.stringify(result)) } as ExecutionResult;
}
