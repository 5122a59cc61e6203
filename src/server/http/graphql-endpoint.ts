import { execute, GraphQLError } from 'graphql';
import type { ExecutionArgs, ExecutionResult, GraphQLSchema } from 'graphql';
import { createYoga } from 'graphql-yoga';
import type { Plugin, YogaServerInstance } from 'graphql-yoga';
import { type AnswerLimit, createAnswerLimit } from '../limits/answer-limit.ts';
import type { Asked } from '../limits/measure-answer.ts';
import { createHeavyAnswers, type HeavyAnswers } from '../limits/heavy-answers.ts';
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

export interface GraphqlEndpoint extends Pick<Yoga, 'handleRequest' | 'getEnveloped'> {
  /** The class of requests that `handleRequest` takes. */
  Request: typeof Request;
  createContext: CreateContext;
  answers: Answers;
  subscribe: Subscribe;
}

type Yoga = YogaServerInstance<OperationContext, ForResolvers>;

/** What answers may hold: each alone, and all in flight together. */
export type Answers = AnswerLimit & HeavyAnswers;

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
  /** How long an operation waits for room for its answer; see `HEAVY_ANSWER_WAIT_MS` of the limits. */
  heavyAnswerWaitMs?: number | undefined;
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
  maxAnswerBytes: maxBytes,
  heavyAnswerWaitMs: waitMs,
}: GraphqlEndpointOptions): GraphqlEndpoint {
  const answers: Answers = {
    ...createAnswerLimit(schema, { maxBytes }),
    ...createHeavyAnswers({ maxBytes, waitMs }),
  };
  const runFor = createQueryCoalescing(async (args, isGone) => {
    Object.assign(args.contextValue as object, { isGone });
    return written(maskResult(await execute(args), maskError));
  });
  const subscribe = createSubscribe(createSharedResults(maskError), peerLimits, answers);
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
      limitAnswers(answers),
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
  // Yoga is a proxy, which looks for each method, and binds it anew, whenever it is read.
  const { handleRequest, getEnveloped, fetchAPI } = yoga;
  return { handleRequest, getEnveloped, Request: fetchAPI.Request, createContext, answers, subscribe };
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
      if (query === params.query && !('documentId' in params)) return;
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

function limitAnswers(answers: Answers): Plugin<OperationContext> {
  return {
    onExecute({ args, setResultAndStopExecution }) {
      const asked = askedIn(args);
      const refusal = answers.refusalOf(asked);
      if (refusal) {
        setResultAndStopExecution({ errors: [refusal] });
        return;
      }
      const { delivery } = args.contextValue;
      const room = answers.enter(answers.bytesOf(asked));
      if (!(room instanceof Promise)) {
        if (room) delivery.part = room;
        return;
      }
      return room.then((part) => {
        if (part instanceof GraphQLError) setResultAndStopExecution({ errors: [part] });
        else delivery.part = part;
        // Nobody reads it: it only has to be no answer.
        if (delivery.isGone?.()) setResultAndStopExecution({ data: null });
      });
    },
    onSubscribe({ args, setResultAndStopExecution }) {
      const refusal = answers.refusalOf(askedIn(args));
      if (refusal) setResultAndStopExecution({ errors: [refusal] });
    },
  };
}

function askedIn({ document, operationName, variableValues: variables }: ExecutionArgs): Asked {
  return { document, operationName, variables };
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
