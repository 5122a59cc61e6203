import { setTimeout as delay } from 'node:timers/promises';
import { createClient } from 'graphql-ws';
import type { FormattedExecutionResult } from 'graphql-ws';
import { WebSocket } from 'ws';

const EXECUTION_EVENTS = `
  subscription Watch($after: String) {
    executionEvents(after: $after) {
      ... on ExecutionEvent {
        cursor at kind status attempt
        execution {
          trigger latenessMs durationMs responseStatus errorMessage nextAttemptAt
          job { name }
        }
      }
      ... on FeedGap { reason toCursor }
    }
  }`;

export interface ExecutionEvent {
  cursor: string;
  at: string;
  kind: string;
  status: string;
  attempt: number | null;
  execution: {
    trigger: string;
    latenessMs: number | null;
    durationMs: number | null;
    responseStatus: number | null;
    errorMessage: string | null;
    nextAttemptAt: string | null;
    job: { name: string };
  };
}

export interface FeedGap {
  reason: string;
  toCursor: string;
}

export type FeedItem = ExecutionEvent | FeedGap;

const RECONNECT_MS = 500;

/**
 * Follows all executions over a websocket until aborted. When the connection breaks it subscribes anew with the last
 * cursor it has seen, so nothing is lost and nothing comes twice; a client's own silent reconnect would repeat the
 * first `after`.
 */
export async function followExecutions(
  graphqlUrl: string,
  onItem: (item: FeedItem) => void,
  signal: AbortSignal,
): Promise<void> {
  const client = createClient({
    url: graphqlUrl.replace(/^http/, 'ws'),
    webSocketImpl: WebSocket,
    retryAttempts: 0,
  });
  let after: string | null = null;

  while (!signal.aborted) {
    const events: AsyncIterableIterator<FormattedExecutionResult<{ executionEvents: FeedItem }>> =
      client.iterate({
        query: EXECUTION_EVENTS,
        variables: { after },
      });
    const end = () => void events.return?.();
    signal.addEventListener('abort', end);
    try {
      for await (const { data, errors } of events) {
        if (errors) throw new Error(errors.map(({ message }) => message).join('; '));
        if (!data) continue;
        const item = data.executionEvents;
        after = 'cursor' in item ? item.cursor : item.toCursor;
        onItem(item);
      }
    } catch (error) {
      // Refused by the server: asking again would be refused again. A socket's end arrives as an event instead.
      if (error instanceof Error || Array.isArray(error)) throw asError(error);
    } finally {
      signal.removeEventListener('abort', end);
    }
    await delay(RECONNECT_MS, undefined, { signal }).catch(() => undefined);
  }
  await client.dispose();
}

function asError(error: Error | unknown[]): Error {
  return error instanceof Error ? error : new Error(JSON.stringify(error));
}
