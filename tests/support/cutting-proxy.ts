import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';

/** A way to a server that does not move when the server does, and on which connections can come to harm. */
export type CuttingProxy = {
  /** For clients, without a path. */
  url: string;
  /** Connections that clients have opened so far. */
  readonly opened: number;
  /** Connections that there are now. */
  readonly open: number;
  /** Ends the connections there are, as a network does: both sides see a reset or an end, and no goodbye. */
  cut: () => void;
  /** From now on the connections there are carry nothing any more, and nobody is told. New ones work. */
  silence: () => void;
  close: () => Promise<void>;
};

type Link = { isSilent: boolean; client: Socket; server: Socket };

/** @param serverUrl where the server is now; asked at each connection */
export async function startCuttingProxy(serverUrl: () => string): Promise<CuttingProxy> {
  const links = new Set<Link>();
  let opened = 0;

  const proxy = createServer((client) => {
    const { hostname, port } = new URL(serverUrl());
    const link: Link = { isSilent: false, client, server: connect(Number(port), hostname) };
    links.add(link);
    opened += 1;
    pass(link, client, link.server);
    pass(link, link.server, client);
  });

  function pass(link: Link, from: Socket, to: Socket): void {
    from.on('error', () => undefined);
    from.on('data', (data) => {
      if (!link.isSilent) to.write(data);
    });
    from.on('close', () => {
      if (link.isSilent) return;
      links.delete(link);
      to.destroy();
    });
  }

  function cut(): void {
    for (const { client, server } of links) {
      client.resetAndDestroy();
      server.destroy();
    }
    links.clear();
  }

  proxy.listen(0, '127.0.0.1');
  await once(proxy, 'listening');
  return {
    url: `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`,
    get opened() {
      return opened;
    },
    get open() {
      return links.size;
    },
    cut,
    silence() {
      for (const link of links) link.isSilent = true;
    },
    async close() {
      const closed = once(proxy, 'close');
      proxy.close();
      cut();
      await closed;
    },
  };
}
