import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { StartError } from '../../async/start-error.ts';

/** Where the server can be reached. */
export interface Listening {
  url: string;
  port: number;
}

/**
 * Starts listening; port 0 takes any free one.
 *
 * @throws Error in words that say what to change, where the address cannot be had
 */
export async function listen(server: Server, host: string, port: number): Promise<Listening> {
  await new Promise<void>((resolve, reject) => {
    const failed = (error: NodeJS.ErrnoException) => {
      reject(new StartError(explain(error, host, port), { cause: error }));
    };
    server.once('error', failed);
    server.listen({ host, port }, () => {
      server.off('error', failed);
      resolve();
    });
  });
  const address = server.address() as AddressInfo;
  return { url: `http://${urlHost(host)}:${address.port}`, port: address.port };
}

/**
 * Finds out whether an address can be listened on, before anything is done that a start would not need without it.
 *
 * @throws Error in words that say what to change, where it cannot
 */
export async function probe(host: string, port: number): Promise<void> {
  const server = createServer();
  await listen(server, host, port);
  await new Promise((resolve) => server.close(resolve));
}

function explain(error: NodeJS.ErrnoException, host: string, port: number): string {
  switch (error.code) {
    case 'EADDRINUSE':
      return `Port ${port} on ${host} is already taken by another program. Stop that program, or set PORT to a free port, such as PORT=${otherPort(port)}.`;
    case 'EACCES':
      return `Port ${port} on ${host} may not be used by this user: ports below 1024 need special rights. Set PORT to a higher one, such as PORT=3000.`;
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return `HOST is ${host}, which is no address of this machine. Set HOST to one that is, such as HOST=127.0.0.1, or 0.0.0.0 for all.`;
    default:
      return `Cannot listen on port ${port} (PORT) of ${host} (HOST): ${error.message}`;
  }
}

function otherPort(port: number): number {
  return port < 65_535 ? port + 1 : port - 1;
}

/** All addresses are listened on under names that no browser can open; this machine is one of them. */
function urlHost(host: string): string {
  if (host === '0.0.0.0' || host === '::') return 'localhost';
  return host.includes(':') ? `[${host}]` : host;
}
