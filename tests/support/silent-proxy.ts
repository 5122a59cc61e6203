import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';

/**
 * A way to the database that can fall silent: what is sent on it is lost and nobody is told, as where a machine vanishes
 * or a firewall forgets a connection.
 */
export type SilentProxy = {
  /** Leads to the database through this proxy. */
  connectionString: string;
  /** Connections that clients have opened and not closed. */
  readonly open: number;
  /** From now on nothing is forwarded on the connections there are; new ones work. */
  silence: () => void;
  /**
   * The connection on which clients next send such a text falls silent behind it: the server gets it, and its answer is lost.
   * Resolves then.
   */
  silenceAfter: (text: string) => Promise<void>;
  /** Nor on new ones, which are accepted all the same. */
  silenceAll: () => void;
  /** New connections work again; those that fell silent stay so. */
  restore: () => void;
  close: () => Promise<void>;
};

export async function startSilentProxy(connectionString: string): Promise<SilentProxy> {
  const behind = new URL(connectionString);
  const port = Number(behind.port);
  const links = new Set<{ isSilent: boolean; client: Socket; server: Socket | null }>();
  let acceptsSilently = false;
  let awaited: { text: string; onSent: () => void } | null = null;

  const proxy = createServer((client) => {
    const server = acceptsSilently ? null : connect(port, behind.hostname);
    const link = { isSilent: acceptsSilently, client, server };
    links.add(link);
    client.on('error', () => undefined);
    client.on('data', (data) => {
      if (link.isSilent) return;
      server?.write(data);
      if (!awaited || !data.includes(awaited.text)) return;
      link.isSilent = true;
      awaited.onSent();
      awaited = null;
    });
    client.on('close', () => {
      links.delete(link);
      // A server learns nothing from somebody who has vanished.
      if (!link.isSilent) server?.destroy();
    });
    server?.on('error', () => undefined);
    server?.on('data', (data) => {
      if (!link.isSilent) client.write(data);
    });
    server?.on('close', () => {
      if (!link.isSilent) client.destroy();
    });
    if (server) servers.add(server);
  });
  const servers = new Set<Socket>();
  proxy.listen(0, '127.0.0.1');
  await once(proxy, 'listening');
  const url = new URL(connectionString);
  url.host = `127.0.0.1:${(proxy.address() as AddressInfo).port}`;

  function silence(): void {
    for (const link of links) link.isSilent = true;
  }

  return {
    connectionString: url.href,
    get open() {
      return links.size;
    },
    silence,
    silenceAfter: (text) =>
      new Promise((onSent) => {
        awaited = { text, onSent };
      }),
    silenceAll() {
      acceptsSilently = true;
      silence();
    },
    restore() {
      acceptsSilently = false;
    },
    async close() {
      const closed = once(proxy, 'close');
      proxy.close();
      for (const { client } of links) client.destroy();
      for (const server of servers) server.destroy();
      await closed;
    },
  };
}
