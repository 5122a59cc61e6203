import { execute, getOperationAST, GraphQLError } from 'graphql';
import type { DocumentNode, ExecutionArgs, GraphQLSchema } from 'graphql';
import { CloseCode, makeServer, MessageType } from 'graphql-ws';
import type {
  Context,
  ExecutionResult,
  OperationResult,
  Server,
  SubscribePayload,
  WebSocket,
} from 'graphql-ws';
import type { Authenticator, Session } from '../../domain/access/session.ts';
import type { Viewer } from '../../domain/access/viewer.ts';
import { admitSocket, KEY_ENDED, type SocketRefusal } from '../access/socket-admission.ts';
import { selfIterator } from '../../async/step-source.ts';
import { nestsDeeperThan } from '../../domain/values/json-value.ts';
import type { Delivery } from './delivery.ts';
import { type ErrorMask, maskResult } from '../http/error-mask.ts';
import { formatError, formatResult } from '../http/format-result.ts';
import type { GraphqlEndpoint } from '../http/graphql-endpoint.ts';
import { VARIABLES_TOO_DEEP } from '../http/graphql-params.ts';
import { CONNECTION_INIT_TIMEOUT_MS, MAX_NESTING, MAX_OPERATIONS_PER_SOCKET } from '../limits/limits.ts';
import { heavyResult } from './heavy-result.ts';
import { clientIdOf, ownIdOf, standsFor, withClientId } from './operation-ids.ts';
import type { PersistedOperations } from '../http/persisted-operations.ts';
import type { Usage } from '../limits/peer-limits.ts';
import type { ReaderWatch } from './reader-watch.ts';
import type { RequestFacts } from '../http/request-facts.ts';
import type { RenderedEvent } from './kept-results.ts';
import { closeReason, nextMessage, nextText, readMessage } from './websocket-messages.ts';

/** What belongs to one websocket. */
export interface SocketFacts {
  /** In which the results of its subscriptions are made, as the client has room for them. */
  turns: NonNullable<Delivery['turns']>;
  /** What the socket has open. */
  usage: Usage;
  /** Sends a message; see `reader-watch.ts`. */
  send: ReaderWatch['send'];
  /** Sends results of a subscription; see `reader-watch.ts`. */
  sendResults: ReaderWatch['sendResults'];
  /** The facts of the socket's next operation; each operation has a request id of its own. */
  nextOperation: (viewer: Viewer) => RequestFacts;
}

export interface OperationServerOptions {
  endpoint: GraphqlEndpoint;
  authenticator: Authenticator;
  maskError: ErrorMask;
  persistedOperations: PersistedOperations;
}

/** Yoga's pipeline for one operation; its own type says `any`. */
interface Pipeline {
  schema: GraphQLSchema;
  parse: (query: string) => DocumentNode;
  validate: (schema: GraphQLSchema, document: DocumentNode) => readonly GraphQLError[];
}

/** What a subscription lives with: graphql-ws keeps it to its end, so it holds nothing that only its start needs. */
type OperationArgs = ExecutionArgs & {
  peer: Pick<RequestFacts, 'viewer' | 'address'>;
  delivery: Delivery;
  sendResult: (json: string) => Promise<void>;
  sendEvents: (events: readonly RenderedEvent[]) => ReturnType<ReaderWatch['sendResults']>;
};

/** {@link SocketFacts}, and what is known of the socket's operations. */
interface Extra extends SocketFacts {
  /** Closes the socket of a caller who is not let in, or no longer. */
  refuse: (refusal: SocketRefusal) => void;
  /** Null until the client has said who they are. */
  session: Session | null;
  /** To be called when the socket is closed. */
  leaveSession: () => void;
  isClosed: boolean;
  /** What graphql-ws knows of the socket, once it is initialised; in it the operations that the client has not completed. */
  context: Pick<Context, 'subscriptions'> | null;
  /** The payload of the message that is being handed to graphql-ws, which calls `onSubscribe` before it waits for anything. */
  payload: SubscribePayload;
  /** Operations that were asked for in all. */
  count: number;
  /** Operations that have not ended, whether or not the client still waits for them. */
  running: number;
}

/**
 * The protocol graphql-transport-ws over Yoga's pipeline. An operation that cannot be parsed, validated or started gets an
 * `error` message of its own. Left to itself, graphql-ws closes the socket for a syntax error and for anything that is thrown
 * (4500, with the error's text as the reason), and the client loses its other subscriptions.
 */
export function createOperationServer({
  endpoint,
  authenticator,
  maskError,
  persistedOperations,
}: OperationServerOptions): Server<SocketFacts> {
  async function start(
    extra: Extra,
    viewer: Viewer,
    id: string,
  ): Promise<OperationArgs | readonly GraphQLError[]> {
    const { payload, running } = extra;
    extra.payload = NO_PAYLOAD;
    if (running > MAX_OPERATIONS_PER_SOCKET) return [tooManyOperations()];
    if (nestsDeeperThan(MAX_NESTING, payload.variables)) return [variablesTooDeep()];
    try {
      const query = persistedOperations.queryOf(payload) ?? '';
      return await prepare(endpoint, extra, viewer, clientIdOf(id), { ...payload, query });
    } catch (error) {
      return [maskError(error)];
    }
  }

  const server = makeServer<Record<string, unknown> | undefined, Extra>({
    connectionInitWaitTimeout: CONNECTION_INIT_TIMEOUT_MS,
    onConnect: async (context) => {
      context.extra.context = context;
      const admission = await admitSocket(authenticator, context.connectionParams);
      // It holds the key, which nobody needs any more.
      (context as { connectionParams: unknown }).connectionParams = undefined;
      return enter(context.extra, admission);
    },
    onSubscribe: async ({ extra }, id) => {
      const { session } = extra;
      if (!session?.use()) {
        extra.refuse(KEY_ENDED);
        return [sessionEnded()];
      }
      extra.running += 1;
      const started = await start(extra, session.viewer, id);
      // An operation that does not start sends no end.
      if (!('document' in started)) extra.running -= 1;
      return started;
    },
    onComplete: ({ extra }) => {
      extra.running -= 1;
    },
    execute: (args) => guarded(maskError, () => answer(endpoint, operationOf(args), maskError)),
    subscribe: (args) => guarded(maskError, () => subscribe(endpoint, operationOf(args), maskError)),
    onNext: (_context, _id, _payload, _args, result) => (result.errors ? formatResult(result) : undefined),
    onError: (_context, _id, _payload, errors) => errors.map((error) => formatError(maskError(error))),
  });
  return {
    opened(socket, { turns, usage, send, sendResults, nextOperation }) {
      // Field by field: what is added to a copy takes up room of its own, for each socket.
      const extra: Extra = {
        turns,
        usage,
        send,
        sendResults,
        nextOperation,
        refuse: ({ code, reason }) => void socket.close(code, closeReason(reason)),
        session: null,
        leaveSession: () => undefined,
        isClosed: false,
        context: null,
        payload: NO_PAYLOAD,
        count: 0,
        running: 0,
      };
      const closed = server.opened(reading(socket, extra), extra);
      return (code, reason) => {
        extra.isClosed = true;
        extra.leaveSession();
        return closed(code, reason);
      };
    },
  };
}

/** Lets a caller in whose socket is still open. Answers false where they are not let in: graphql-ws goes no further then. */
function enter(extra: Extra, admission: Awaited<ReturnType<typeof admitSocket>>): boolean {
  if ('refusal' in admission) {
    extra.refuse(admission.refusal);
    return false;
  }
  extra.session = admission.session;
  if (!extra.isClosed) {
    extra.leaveSession = admission.session.onEnd(() => {
      extra.refuse(KEY_ENDED);
    });
  }
  return true;
}

/**
 * The socket as graphql-ws is to see it: with ids of our own (see `operation-ids.ts`), and in place of each operation an empty
 * one, since it keeps the message for as long as the operation lasts. It still sees to whether the client may subscribe yet.
 */
function reading(socket: WebSocket, extra: Extra): WebSocket {
  const close = async (code?: number, reason = '') => {
    await socket.close(code, closeReason(reason));
  };
  return {
    protocol: socket.protocol,
    close,
    send: (message) => socket.send(withClientId(message)),
    onMessage(handle) {
      // The answer of `handle` lasts as long as its subscription: to wait for it here would hold twice as much.
      socket.onMessage((text) => {
        const message = readMessage(text);
        switch (message.kind) {
          case 'refused':
            return close(CloseCode.BadRequest, message.reason);
          case 'subscribe': {
            const { id, payload } = message;
            if (ownIdIn(extra, id) !== undefined)
              return close(CloseCode.SubscriberAlreadyExists, `Subscriber for ${id} already exists`);
            extra.count += 1;
            extra.payload = payload;
            return handle(subscribeMessage(ownIdOf(id, extra.count)));
          }
          case 'complete': {
            const id = ownIdIn(extra, message.id);
            return id === undefined ? NOTHING_TO_DO : handle(completeMessage(id));
          }
          case 'other':
            return handle(text);
        }
      });
    },
  };
}

/** Our own id of the operation that the client knows by its id; none where it has completed it, or it has ended. */
function ownIdIn({ context }: Extra, clientId: string): string | undefined {
  return Object.keys(context?.subscriptions ?? {}).find((ownId) => standsFor(ownId, clientId));
}

function subscribeMessage(id: string): string {
  return JSON.stringify({ id, type: MessageType.Subscribe, payload: { query: '' } });
}

function completeMessage(id: string): string {
  return JSON.stringify({ id, type: MessageType.Complete });
}

const NO_PAYLOAD: SubscribePayload = { query: '' };
const NOTHING_TO_DO = Promise.resolve();

function variablesTooDeep(): GraphQLError {
  return new GraphQLError(VARIABLES_TOO_DEEP, { extensions: { code: 'BAD_REQUEST' } });
}

/** What {@link operationOf} finds again: graphql-ws hands `execute` the same object that `onSubscribe` returned. */
async function prepare(
  endpoint: GraphqlEndpoint,
  { nextOperation, turns, usage, send, sendResults }: SocketFacts,
  viewer: Viewer,
  id: string,
  { query, variables, operationName }: SubscribePayload,
): Promise<OperationArgs | readonly GraphQLError[]> {
  const facts = nextOperation(viewer);
  const delivery: Delivery = { turns, socket: usage };
  const { schema, parse, validate } = endpoint.getEnveloped({ facts, delivery }) as Pipeline;
  const document = parse(query);
  const errors = validate(schema, document);
  if (errors.length > 0) return errors;
  if (!getOperationAST(document, operationName)) return [unknownOperation()];
  const refusal = endpoint.answers.refusalOf({ document, operationName, variables });
  if (refusal) return [refusal];
  const idAsJson = Buffer.from(JSON.stringify(id));
  return {
    schema,
    document,
    variableValues: variables ?? null,
    operationName: operationName ?? null,
    contextValue: await endpoint.createContext(facts),
    peer: facts,
    delivery,
    sendResult: (json) => send(nextText(id, json)),
    sendEvents: (events) => sendResults(events.map(({ json }) => nextMessage(idAsJson, json))),
  };
}

function operationOf(args: ExecutionArgs): OperationArgs {
  return args as OperationArgs;
}

/** Answers a query or mutation: at once where its answer is small, else when there is room for it. */
function answer(
  { answers }: GraphqlEndpoint,
  args: OperationArgs,
  maskError: ErrorMask,
): Promise<ExecutionResult> | AsyncIterableIterator<never> {
  const { document, operationName, variableValues: variables, sendResult } = args;
  const bytes = answers.bytesOf({ document, operationName, variables });
  const run = async () => maskResult(await execute(args), maskError);
  if (!answers.isHeavy(bytes)) return run();
  return heavyResult({ enter: () => answers.enter(bytes), run, send: sendResult });
}

/**
 * Starts a subscription whose results go to the socket past graphql-ws, which would serialise each for each subscriber. All
 * else of the protocol is left to it, so it is given an iterator that has no results and ends when the subscription does.
 */
async function subscribe(
  endpoint: GraphqlEndpoint,
  args: OperationArgs,
  maskError: ErrorMask,
): Promise<AsyncIterableIterator<never> | ExecutionResult> {
  const { peer, delivery, sendEvents } = args;
  const results = await endpoint.subscribe(args, delivery, peer);
  if (!(Symbol.asyncIterator in results)) return maskResult(results, maskError);
  const end = async () => {
    await results.return?.();
    return OVER;
  };
  return {
    async next() {
      for (;;) {
        const events = await delivery.take?.();
        if (!events) return OVER;
        const sent = sendEvents(events);
        if (sent && !(await sent)) return end();
      }
    },
    return: end,
    [Symbol.asyncIterator]: selfIterator,
  };
}

const OVER = { done: true, value: undefined } as const;

/** Executors return their errors, but a plugin around them may throw. */
async function guarded(
  maskError: ErrorMask,
  run: () => OperationResult | Promise<OperationResult>,
): Promise<AsyncIterable<ExecutionResult> | AsyncGenerator<ExecutionResult> | ExecutionResult> {
  try {
    return await run();
  } catch (error) {
    return { errors: [maskError(error)] };
  }
}

function sessionEnded(): GraphQLError {
  return new GraphQLError(KEY_ENDED.reason, { extensions: { code: 'UNAUTHENTICATED' } });
}

function tooManyOperations(): GraphQLError {
  return new GraphQLError(`One websocket runs at most ${MAX_OPERATIONS_PER_SOCKET} operations at once.`, {
    extensions: { code: 'TOO_MANY_OPERATIONS' },
  });
}

function unknownOperation(): GraphQLError {
  return new GraphQLError('Could not determine which operation of the document to execute.', {
    extensions: { code: 'OPERATION_RESOLUTION_FAILURE' },
  });
}
