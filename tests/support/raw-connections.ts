import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { connect, type Socket } from 'node:net';
import { onTestFinished } from 'vitest';

const SERVER_SOCKETS = 'net.server.socket';

/** The server's ends of the connections that are opened from now on in this process, until the test ends. */
export function watchServerSockets(): ReadonlySet<Socket> {
  const sockets = new Set<Socket>();
  const onSocket = (message: unknown) => {
    const { socket } = message as { socket: Socket };
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  };
  subscribe(SERVER_SOCKETS, onSocket);
  onTestFinished(() => {
    unsubscribe(SERVER_SOCKETS, onSocket);
  });
  return sockets;
}

/** A connection whose reading the test controls, down to the operating system: nothing is read while it is paused. */
export function rawConnection(port: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1');
    onTestFinished(() => {
      socket.destroy();
    });
    socket.once('error', reject);
    socket.once('connect', () => {
      socket.off('error', reject);
      // That it is cut is what some tests are about.
      socket.on('error', () => undefined);
      resolve(socket);
    });
  });
}
