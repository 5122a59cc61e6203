import { setTimeout as delay } from 'node:timers/promises';
import { createClient } from 'graphql-ws';
import type { Pool } from 'pg';
import { onTestFinished } from 'vitest';
import { WebSocket } from 'ws';
import { decodeCursor, encodeCursor } from '../../src/events/cursor.ts';
import { readEventLogState } from '../../src/store/events/event-log.ts';

export type FollowedEvent = {
  cursor: string;
  kind: string;
  status: string;
  previousStatus: string | null;
  attempt: number | null;
  execution: { id: string };
};
type FeedItem = { __typename: 'ExecutionEvent' } & FollowedEvent;
type Gap = { __typename: 'FeedGap'; reason: string };

/** A subscriber that comes back with its cursor each time its socket is gone, as the documentation tells clients to. */
export type EventFollower = {
  /** In the order of their arrival, over all its connections. */
  events: readonly FollowedEvent[];
  /** Their positions in the log. */
  positions: () => bigint[];
  /** What it was told instead of an event: gaps and errors. */
  troubles: readonly unknown[];
  /** How often its subscription has begun. */
  connections: () => number;
  /** Cuts the connection, as a network does: without a goodbye. */
  dropSocket: () => void;
};

export type FollowOptions = {
  /** Where the server is now; asked at each connection. */
  url: () => string;
  /** The cursor to begin behind. */
  after: string;
  /** Drops the socket of each connection, in turn, when so many events have come over it; later ones are kept. */
  dropAfter?: readonly number[];
};

const EXECUTION_EVENTS = /* GraphQL */ `
  subscription ($after: String) {
    executionEvents(after: $after) {
      __typename
      ... on ExecutionEvent {
        cursor
        kind
        status
        previousStatus
        attempt
        execution {
          id
        }
      }
      ... on FeedGap {
        reason
      }
    }
  }
`;
/** Between two tries to connect while the server is away. */
const RECONNECT_MS = 20;

/** Follows all executions until the test ends. */
export function followEvents({ url, after, dropAfter = [] }: FollowOptions): EventFollower {
  const events: FollowedEvent[] = [];
  const troubles: unknown[] = [];
  let socket: WebSocket | undefined;
  let connections = 0;
  /** Over this connection. */
  let received = 0;
  let isDropped = false;
  let stopped = false;

  function drop(): void {
    isDropped = true;
    socket?.terminate();
  }

  function take(item: FeedItem | Gap): void {
    if (item.__typename === 'FeedGap') {
      troubles.push(item);
      return;
    }
    events.push(item);
    received += 1;
    if (received === dropAfter[connections - 1]) drop();
  }

  /** Resolves when the subscription is over, however that came. */
  function followOnce(): Promise<void> {
    const client = createClient({
      url: `${url().replace(/^http/, 'ws')}/graphql`,
      webSocketImpl: WebSocket,
      retryAttempts: 0,
      on: {
        opened: (opened) => {
          socket = opened as WebSocket;
        },
      },
    });
    connections += 1;
    received = 0;
    isDropped = false;
    return new Promise((resolve) => {
      client.subscribe<{ executionEvents: FeedItem | Gap }>(
        { query: EXECUTION_EVENTS, variables: { after: events.at(-1)?.cursor ?? after } },
        {
          next: ({ data, errors }) => {
            // What had arrived when the socket was cut, nobody has seen.
            if (isDropped) return;
            if (data) take(data.executionEvents);
            else {
              // Its event is not lost: it comes again behind the last cursor.
              troubles.push(errors);
              drop();
            }
          },
          // A socket's end comes as an event, what the server refuses as a list.
          error: (error) => {
            if (Array.isArray(error)) troubles.push(error);
            resolve();
          },
          complete: resolve,
        },
      );
    });
  }

  async function follow(): Promise<void> {
    while (!stopped) {
      await followOnce();
      await delay(RECONNECT_MS);
    }
  }

  const following = follow();
  onTestFinished(async () => {
    stopped = true;
    drop();
    await following;
  });
  return {
    events,
    positions: () => events.map(({ cursor }) => decodeCursor(cursor)?.position ?? -1n),
    troubles,
    connections: () => connections,
    dropSocket: drop,
  };
}

/** The cursor before the first event of all. */
export async function firstCursor(pool: Pool): Promise<string> {
  const { epoch } = await readEventLogState(pool);
  return encodeCursor({ epoch, position: 0n });
}

/** The positions of all events of executions, as the log has them. */
export async function executionEventPositions(pool: Pool): Promise<bigint[]> {
  const { rows } = await pool.query<{ position: bigint }>(
    `SELECT position FROM event_log WHERE kind::text LIKE 'EXECUTION_%' ORDER BY position`,
  );
  return rows.map(({ position }) => position);
}
