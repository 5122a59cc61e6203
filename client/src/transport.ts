import { parse, print, type DocumentNode } from 'graphql';
import type { TypedDocumentNode } from '@graphql-typed-document-node/core';
import type { Client } from 'graphql-ws/client';
import { authorizedFetch, type TokenSource } from './authorization.ts';
import { DEFAULT_BACKOFF, type Backoff } from './backoff.ts';
import { createFeedPosition } from './feed-position.ts';
import { follow } from './follow.ts';
import { persistedHashOf, persistedQuery } from './persisted.ts';
import { planResume, type ResumePlan } from './resume-plan.ts';
import { callSafely, guarded, type Sink } from './sink.ts';
import { createSocket, type WebSocketClass } from './socket.ts';

/** Whether what is subscribed is live. `connecting` also while it waits before the next try. */
export type ConnectionState = 'idle' | 'connecting' | 'connected';

export interface TransportOptions {
  /** The endpoint, such as `https://scheduler.example/graphql`, or a path on the page's own origin. */
  url: string;
  /** Goes out as the header Authorization, and in the payload of `connection_init`. */
  token?: TokenSource | undefined;
  /**
   * Sends the ids of generated documents in the place of their texts, for a server that was given the list of them
   * (`PERSISTED_OPERATIONS`). Default false.
   */
  persisted?: boolean | undefined;
  /** Tells a page whether what it shows is live. */
  onConnectionChange?: ((state: ConnectionState) => void) | undefined;
  /** Hears why a subscription was broken off and is asked for again: for logs, there is nothing to be done. */
  onBreak?: ((reason: unknown) => void) | undefined;
  /** Where there is no WebSocket of the platform's own: the package `ws` on Node 20. */
  webSocket?: WebSocketClass | undefined;
  fetch?: typeof fetch | undefined;
  /** Between two tries to connect. Default 250 to 10000 ms, doubling. */
  backoff?: Backoff | undefined;
  /** How often the server must give a sign of life in milliseconds; default 10000. */
  keepAliveMs?: number | undefined;
  /** How long the server may take for it, and to accept a connection, in milliseconds; default 5000. */
  answerTimeoutMs?: number | undefined;
}

/** What to subscribe to, as any client of GraphQL has it at hand. */
export interface Operation<Data, Variables> {
  query: string | DocumentNode | TypedDocumentNode<Data, Variables>;
  variables?: Variables | undefined;
  operationName?: string | null | undefined;
  extensions?: Record<string, unknown> | undefined;
}

export interface SubscribeOptions {
  /**
   * Called once when a feed that was given no cursor stands: from then on nothing is missed, so state that is read
   * now has no hole between itself and the events. Its cursor is where the feed begins.
   */
  onBegun?: ((cursor: string) => void) | undefined;
  /**
   * Called when this subscription is asked for over a connection that stands (`connected`), and when it is cut off
   * (`connecting`). A feed that is `connected` again may still be told of what it has missed.
   */
  onConnectionChange?: ((state: Exclude<ConnectionState, 'idle'>) => void) | undefined;
  /** False lets a feed lose events across a reconnect, for documents that cannot be resumed. */
  resume?: boolean | undefined;
}

/** The way to the server that all clients share. */
export interface Transport {
  /** `fetch` with the token. */
  fetch: typeof fetch;
  /**
   * Follows a subscription until it is complete, the server refuses it, or the returned function ends it. A connection
   * that is lost is none of the sink's business: feeds go on behind the last cursor with nothing lost and nothing
   * repeated, others are asked for anew.
   */
  subscribe: <Data, Variables>(
    operation: Operation<Data, Variables>,
    sink: Sink<Data>,
    options?: SubscribeOptions,
  ) => () => void;
  /** Completes all subscriptions and closes the socket; the transport is of no use afterwards. */
  close: () => void;
}

/** This feed alone is over some day: with the last line of an execution's log. */
const FEEDS_WITH_END = ['executionLogs'];

export function createTransport(options: TransportOptions): Transport {
  const { token, onConnectionChange, onBreak, backoff = DEFAULT_BACKOFF } = options;
  /** The subscriptions that are followed. */
  const running = new Set<{ complete: () => void; tell: () => void }>();
  let isConnected = false;
  let told: ConnectionState = 'idle';
  let socket: Client | undefined;

  /** Made when first needed: a page that is rendered on a server only asks, and may have neither WebSocket nor origin. */
  function openSocket(): Client {
    socket ??= createSocket({
      url: socketUrl(options.url),
      token,
      webSocketImpl: options.webSocket ?? platformWebSocket(),
      keepAliveMs: options.keepAliveMs ?? 10_000,
      answerTimeoutMs: options.answerTimeoutMs ?? 5_000,
      onConnected: () => {
        isConnected = true;
        tell();
      },
      onClosed: () => {
        isConnected = false;
        tell();
      },
    });
    return socket;
  }

  function tell(): void {
    for (const subscription of running) subscription.tell();
    const whenRunning = isConnected ? 'connected' : 'connecting';
    const state = running.size > 0 ? whenRunning : 'idle';
    if (state === told) return;
    told = state;
    callSafely(() => onConnectionChange?.(state));
  }

  function subscribe<Data, Variables>(
    { query, variables, operationName, extensions }: Operation<Data, Variables>,
    receiver: Sink<Data>,
    { onBegun, onConnectionChange: onOwnChange, resume = true }: SubscribeOptions = {},
  ): () => void {
    const sink = guarded(receiver);
    const plan = resume ? planResume(asDocument(query), operationName) : PLAIN;
    if (plan.kind === 'refused') {
      sink.error(new Error(plan.reason));
      return () => undefined;
    }
    const given: Record<string, unknown> = { ...variables };
    const position = plan.kind === 'feed' ? createFeedPosition(plan, given) : null;
    const hash = options.persisted === true ? persistedHashOf(query) : undefined;
    const payload = {
      // The protocol asks for a query, also where it is named.
      query: hash === undefined ? asText(query) : '',
      operationName,
      extensions: hash === undefined ? extensions : { ...extensions, persistedQuery: persistedQuery(hash) },
      // Read with each sending: on a close with code 1000 graphql-ws sends its payload again by itself.
      get variables() {
        return position?.variables ?? given;
      },
    };
    /** Whether the socket has this subscription, and it has not ended since. */
    let isAsked = false;
    let ownTold = false;
    const subscription = {
      complete,
      tell: () => {
        const isLinked = isAsked && isConnected;
        if (isLinked === ownTold) return;
        ownTold = isLinked;
        callSafely(() => onOwnChange?.(isLinked ? 'connected' : 'connecting'));
      },
    };
    const stop = follow<Data>({
      subscribe: (once) => {
        isAsked = true;
        const unsubscribe = openSocket().subscribe<Data>(payload, once);
        subscription.tell();
        return unsubscribe;
      },
      position,
      hasEnd: plan.kind === 'plain' || FEEDS_WITH_END.includes(plan.field),
      sink: {
        next: sink.next,
        error: (error) => {
          forget();
          sink.error(error);
        },
        complete,
      },
      onBegun: (cursor) => {
        callSafely(() => onBegun?.(cursor));
      },
      onBreak: (reason) => {
        isAsked = false;
        subscription.tell();
        callSafely(() => onBreak?.(reason));
      },
      backoff,
      random: Math.random,
    });

    function forget(): void {
      running.delete(subscription);
      tell();
    }
    function end(): void {
      stop();
      forget();
    }
    function complete(): void {
      end();
      sink.complete();
    }
    running.add(subscription);
    tell();
    return end;
  }

  return {
    fetch: authorizedFetch(token, options.fetch),
    subscribe,
    close() {
      for (const { complete } of running) complete();
      // Fails with the connection that was just being made.
      Promise.resolve(socket?.dispose()).catch(() => undefined);
    },
  };
}

const PLAIN: ResumePlan = { kind: 'plain' };

function asDocument(query: string | DocumentNode): DocumentNode {
  return typeof query === 'string' ? parse(query) : query;
}

function asText(query: string | DocumentNode): string {
  return typeof query === 'string' ? query : print(query);
}

function platformWebSocket(): WebSocketClass {
  const platform = globalThis as { WebSocket?: WebSocketClass };
  if (!platform.WebSocket)
    throw new Error('There is no WebSocket here: pass `webSocket`, such as that of the package ws.');
  return platform.WebSocket;
}

function socketUrl(url: string): string {
  const absolute = new URL(url, typeof location === 'undefined' ? undefined : location.href);
  absolute.protocol = absolute.protocol.replace(/^http/, 'ws');
  return absolute.href;
}
