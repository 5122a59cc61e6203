import type { ExecutionResult, GraphQLSchema } from 'graphql';
import { createYoga, isAsyncIterable } from 'graphql-yoga';
import type { GraphQLParams, Plugin, YogaServerInstance } from 'graphql-yoga';
import type { Delivery } from './delivery.ts';
import { createDocumentCache } from './document-cache.ts';
import type { ErrorMask } from './error-mask.ts';
import { eventStreamResponse } from './event-stream-result.ts';
import { GRAPHQL_PATH, MAX_CACHED_QUERY_CHARACTERS } from './limits.ts';
import { parseWithinLimits } from './query-limits.ts';
import type { RequestFacts } from './request-facts.ts';
import { subscribe } from './subscribe.ts';

/** Makes the GraphQL context of one operation. What it throws is masked and answers that operation. */
export type CreateContext = (facts: RequestFacts) => object | Promise<object>;

/** What a transport hands to Yoga with each operation; `params` is absent where the transport executes by itself. */
export interface OperationContext extends Record<string, unknown> {
  facts: RequestFacts;
  delivery: Delivery;
  params?: GraphQLParams;
}

export type GraphqlEndpoint = YogaServerInstance<OperationContext, object>;

export interface GraphqlEndpointOptions {
  schema: GraphQLSchema;
  createContext: CreateContext;
  maskError: ErrorMask;
}

/**
 * One pipeline for all transports: HTTP asks it for responses, websockets for its parse, validate and execute, so that
 * limits, masking and context are the same whichever way an operation comes in.
 */
export function createGraphqlEndpoint({
  schema,
  createContext,
  maskError,
}: GraphqlEndpointOptions): GraphqlEndpoint {
  return createYoga<OperationContext, object>({
    schema,
    graphqlEndpoint: GRAPHQL_PATH,
    context: ({ facts }) => createContext(facts),
    maskedErrors: { maskError },
    plugins: [
      readParamsFromContext,
      parseLimited,
      subscribeWithDelivery,
      sendEventStream,
      endUnreadableResult,
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
    fetchAPI: { Request, Response, ReadableStream, Headers },
  });
}

/** The HTTP transport has read the parameters before Yoga sees the request. */
const readParamsFromContext: Plugin<object, OperationContext> = {
  onRequestParse({ serverContext, setRequestParser }) {
    setRequestParser(() => serverContext.params ?? {});
  },
};

const parseLimited: Plugin = {
  onParse({ setParseFn }) {
    setParseFn(parseWithinLimits);
  },
};

const subscribeWithDelivery: Plugin = {
  onSubscribe({ setSubscribeFn }) {
    setSubscribeFn(subscribe);
  },
};

/** Yoga's own event streams have no ids. A single result, such as a refusal, is left to it: it knows the statuses. */
const sendEventStream: Plugin<object, OperationContext> = {
  onResultProcess(hook) {
    const { result, resultProcessor, serverContext } = hook;
    if (resultProcessor === undefined || !isAsyncIterable<ExecutionResult>(result)) return;
    hook.setResultProcessor(() => eventStreamResponse(result, serverContext.delivery), 'text/event-stream');
  },
};

/** A client that does not accept event streams is answered 406, and Yoga forgets the subscription it has begun. */
const endUnreadableResult: Plugin = {
  async onResultProcess({ result, resultProcessor }) {
    if (resultProcessor === undefined && isAsyncIterable(result))
      await result[Symbol.asyncIterator]().return?.();
  },
};
