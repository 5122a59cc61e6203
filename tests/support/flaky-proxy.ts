import { connect, createServer } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import { onTestFinished } from 'vitest';

/** A network between client and server that can break. */
export type FlakyProxy = {
  /** In the place of the server's. */
  url: string;
  /** Breaks every connection without a goodbye. */
  cut: () => void;
  /** Refuses connections until `mend`. */
  refuse: () => void;
  mend: () => void;
  /** Connections there were so far. */
  connections: () => number;
};

/** Passes on what is sent to a server of this machine; closed when the test ends. */
export async function startFlakyProxy(serverPort: number): Promise<FlakyProxy> {
  const sockets = new Set<Socket>();
  let connections = 0;
  let isRefusing = false;

  function keep(socket: Socket): void {
    sockets.add(socket);
    // A broken connection is what this is for.
    socket.on('error', () => undefined);
    socket.on('close', () => sockets.delete(socket));
  }

  function cut(): void {
    for (const socket of sockets) socket.resetAndDestroy();
  }

  const proxy = createServer((client) => {
    keep(client);
    if (isRefusing) {
      client.resetAndDestroy();
      return;
    }
    connections += 1;
    const server = connect(serverPort, '127.0.0.1');
    keep(server);
    client.pipe(server).pipe(client);
    client.on('close', () => server.destroy());
    server.on('close', () => client.destroy());
  });
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
  onTestFinished(async () => {
    cut();
    await new Promise((resolve) => proxy.close(resolve));
  });
  return {
    url: `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`,
    cut,
    refuse: () => (isRefusing = true),
    mend: () => (isRefusing = false),
    connections: () => connections,
  };
}
