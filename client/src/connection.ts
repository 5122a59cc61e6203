import type { Client } from 'graphql-ws/client';
import type { TokenSource } from './authorization.ts';
import { createSocket, type WebSocketClass } from './socket.ts';

export interface ConnectionOptions {
  /** The endpoint, such as `https://scheduler.example/graphql`, or a path on the page's own origin. */
  url: string;
  /** Goes out as the header Authorization, and in the payload of `connection_init`. */
  token?: TokenSource | undefined;
  /** Where there is no WebSocket of the platform's own: the package `ws` on Node 20. */
  webSocket?: WebSocketClass | undefined;
  /** How often the server must give a sign of life in milliseconds; default 10000. */
  keepAliveMs?: number | undefined;
  /** How long the server may take for it, and to accept a connection, in milliseconds; default 5000. */
  answerTimeoutMs?: number | undefined;
}

/** The one websocket of a transport. */
export interface Connection {
  readonly isConnected: boolean;
  /** Made when first needed: a page that is rendered on a server only asks, and may have neither WebSocket nor origin. */
  open: () => Client;
  close: () => void;
}

/** @param onChange called after each change of `isConnected` */
export function createConnection(options: ConnectionOptions, onChange: () => void): Connection {
  let isConnected = false;
  let socket: Client | undefined;

  function set(value: boolean): void {
    isConnected = value;
    onChange();
  }

  return {
    get isConnected() {
      return isConnected;
    },
    open() {
      socket ??= createSocket({
        url: socketUrl(options.url),
        token: options.token,
        webSocketImpl: options.webSocket ?? platformWebSocket(),
        keepAliveMs: options.keepAliveMs ?? 10_000,
        answerTimeoutMs: options.answerTimeoutMs ?? 5_000,
        onConnected: () => {
          set(true);
        },
        onClosed: () => {
          set(false);
        },
      });
      return socket;
    },
    close() {
      // Fails with the connection that was just being made.
      Promise.resolve(socket?.dispose()).catch(() => undefined);
    },
  };
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
