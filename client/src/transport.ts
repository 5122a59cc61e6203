import { authorizedFetch } from './authorization.ts';
import { DEFAULT_BACKOFF, type Backoff } from './backoff.ts';
import { createConnection, type Connection, type ConnectionOptions } from './connection.ts';
import { createFeedPosition } from './feed-position.ts';
import { follow } from './follow.ts';
import { documentOf, payloadOf, type Operation } from './operation.ts';
import { planResume, type ResumePlan } from './resume-plan.ts';
import { callSafely, guarded, type Sink } from './sink.ts';

export type { Operation } from './operation.ts';

/** Whether what is subscribed is live. `connecting` also while it waits before the next try. */
export type ConnectionState = 'idle' | 'connecting' | 'connected';

export interface TransportOptions extends ConnectionOptions {
  /**
   * Sends the ids of generated documents in the place of their texts, for a server that was given the list of them
   * (`PERSISTED_OPERATIONS`). Default false.
   */
  persisted?: boolean | undefined;
  /** Tells a page whether what it shows is live. */
  onConnectionChange?: ((state: ConnectionState) => void) | undefined;
  /** Hears why a subscription was broken off and is asked for again: for logs, there is nothing to be done. */
  onBreak?: ((reason: unknown) => void) | undefined;
  fetch?: typeof fetch | undefined;
  /** Between two tries to connect. Default 250 to 10000 ms, doubling. */
  backoff?: Backoff | undefined;
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

const PLAIN: ResumePlan = { kind: 'plain' };

export function createTransport(options: TransportOptions): Transport {
  const { token, onConnectionChange, onBreak, persisted = false, backoff = DEFAULT_BACKOFF } = options;
  /** The subscriptions that are followed. */
  const running = new Set<{ complete: () => void; link: Link }>();
  const connection = createConnection(options, tell);
  let told: ConnectionState = 'idle';

  function tell(): void {
    for (const { link } of running) link.tell();
    const whenRunning = connection.isConnected ? 'connected' : 'connecting';
    const state = running.size > 0 ? whenRunning : 'idle';
    if (state === told) return;
    told = state;
    callSafely(() => onConnectionChange?.(state));
  }

  function subscribe<Data, Variables>(
    operation: Operation<Data, Variables>,
    receiver: Sink<Data>,
    { onBegun, onConnectionChange: onOwnChange, resume = true }: SubscribeOptions = {},
  ): () => void {
    const sink = guarded(receiver);
    const plan = resume ? planResume(documentOf(operation), operation.operationName) : PLAIN;
    if (plan.kind === 'refused') {
      sink.error(new Error(plan.reason));
      return () => undefined;
    }
    const given: Record<string, unknown> = { ...operation.variables };
    const position = plan.kind === 'feed' ? createFeedPosition(plan, given) : null;
    const payload = payloadOf(operation, persisted, () => position?.variables ?? given);
    const link = createLink(connection, onOwnChange);
    const subscription = { complete, link };
    const stop = follow<Data>({
      subscribe: (once) => {
        const client = connection.open();
        link.set(true);
        return client.subscribe<Data>(payload, once);
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
        link.set(false);
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
      connection.close();
    },
  };
}

/** Tells one subscription whether it is asked for over a connection that stands. */
interface Link {
  /** @param isAsked whether the socket has the subscription, and it has not ended since */
  set: (isAsked: boolean) => void;
  tell: () => void;
}

function createLink(connection: Connection, onChange: SubscribeOptions['onConnectionChange']): Link {
  let isAsked = false;
  let told = false;

  function tell(): void {
    const isLinked = isAsked && connection.isConnected;
    if (isLinked === told) return;
    told = isLinked;
    callSafely(() => onChange?.(isLinked ? 'connected' : 'connecting'));
  }

  return {
    set(value) {
      isAsked = value;
      tell();
    },
    tell,
  };
}
