import { createClient, type Client } from 'graphql-ws/client';
import { connectionPayload, type TokenSource } from './authorization.ts';

export interface SocketOptions {
  /** Of the endpoint, ws or wss. */
  url: string;
  token: TokenSource | undefined;
  webSocketImpl: WebSocketClass;
  /** How often the server must give a sign of life, and how long it may take to. */
  keepAliveMs: number;
  answerTimeoutMs: number;
  onConnected: () => void;
  onClosed: () => void;
}

/** The platform's WebSocket, or that of the package `ws`. */
export type WebSocketClass = new (
  url: string | URL,
  protocols?: string | string[],
) => {
  close: () => void;
  addEventListener: (type: 'open' | 'close', listener: () => void) => void;
};

/** How long a socket without subscriptions is kept: moving from page to page needs no new one. */
const IDLE_MS = 3_000;

/**
 * One websocket for all subscriptions, opened with the first one. It does not reconnect: each subscription that is
 * ended by its close comes back by itself, with its own cursor.
 */
export function createSocket(options: SocketOptions): Client {
  const { url, token, webSocketImpl, keepAliveMs, answerTimeoutMs, onConnected, onClosed } = options;
  let socket: WebSocket | undefined;
  let deadline: ReturnType<typeof setTimeout> | undefined;

  /** A connection that was cut without a word looks open for many minutes, and waits as long for its close. */
  function awaitAnswer(): void {
    clearTimeout(deadline);
    deadline = setTimeout(() => {
      client.terminate();
    }, answerTimeoutMs);
  }

  function answered(): void {
    clearTimeout(deadline);
  }

  const client = createClient({
    url,
    webSocketImpl: withOpeningLimit(webSocketImpl, answerTimeoutMs),
    connectionParams: () => connectionPayload(token),
    retryAttempts: 0,
    lazyCloseTimeout: IDLE_MS,
    keepAlive: keepAliveMs,
    on: {
      opened: (opened) => {
        socket = opened as WebSocket;
        awaitAnswer();
      },
      connected: () => {
        answered();
        onConnected();
      },
      ping: (isReceived) => {
        if (!isReceived) awaitAnswer();
      },
      pong: (isReceived) => {
        if (isReceived) answered();
      },
      error: () => {
        // Its close would come late, and graphql-ws would take it for the next connection's.
        if (socket) socket.onclose = null;
        answered();
        onClosed();
      },
      closed: () => {
        answered();
        onClosed();
      },
    },
  });
  return client;
}

/** Gives up on a handshake that nobody answers; browsers wait for minutes. */
function withOpeningLimit(webSocketImpl: WebSocketClass, limitMs: number): WebSocketClass {
  return class extends webSocketImpl {
    constructor(url: string | URL, protocols?: string | string[]) {
      super(url, protocols);
      const timer = setTimeout(() => {
        this.close();
      }, limitMs);
      const clear = () => {
        clearTimeout(timer);
      };
      this.addEventListener('open', clear);
      this.addEventListener('close', clear);
    }
  };
}
