import type { IncomingMessage } from 'node:http';
import type { Viewer } from '../../domain/access/viewer.ts';

/** What the transport knows about one operation; everything else of the GraphQL context is made from it. */
export interface RequestFacts {
  /** Identifies the operation in logs, audit rows and the `X-Request-Id` header. */
  requestId: string;
  /** Who asks. */
  viewer: Viewer;
  /** Address of the peer, which is the proxy where there is one; null once the connection is gone. */
  address: string | null;
  /** Whether its connection is closed, so that nobody is left to read an answer. */
  isGone: () => boolean;
  /** The id of the last event that a reconnecting EventSource has seen; null for everybody else. */
  lastEventId: string | null;
}

const SANE_REQUEST_ID = /^[A-Za-z0-9._:-]{1,128}$/;

/** The caller's `X-Request-Id` where it is harmless in a log line, else a drawn one. */
export function requestIdOf(request: IncomingMessage, newId: () => string): string {
  const given = request.headers['x-request-id'];
  return typeof given === 'string' && SANE_REQUEST_ID.test(given) ? given : newId();
}

/** What a request says of itself; who sent it is another matter. */
export function factsOf(request: IncomingMessage, requestId: string): Omit<RequestFacts, 'viewer'> {
  const { socket } = request;
  return {
    requestId,
    address: socket.remoteAddress ?? null,
    isGone: () => socket.destroyed,
    lastEventId: lastEventIdOf(request),
  };
}

/** A websocket is no event stream: it is upgraded once and then begins many subscriptions, each with a cursor of its own. */
function lastEventIdOf({ headers }: IncomingMessage): string | null {
  const id = headers['last-event-id'];
  return typeof id === 'string' && id !== '' && headers.upgrade === undefined ? id : null;
}
