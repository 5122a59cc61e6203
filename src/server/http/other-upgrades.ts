import type { IncomingMessage, Server } from 'node:http';
import type { Duplex } from 'node:stream';

/** Headers that are about this connection's upgrade, and mean nothing without it. */
const OF_THE_UPGRADE = new Set(['upgrade', 'http2-settings']);

export function isWebsocketUpgrade({ headers }: IncomingMessage): boolean {
  return headers.upgrade?.trim().toLowerCase() === 'websocket';
}

/**
 * Answers a request that offers to upgrade to something else than a websocket as though it had not: to upgrade is an offer,
 * which a server may ignore (RFC 9110, 7.8). Java's HTTP client offers h2c with its first request to every http:// URL, a
 * target's callbacks for one. Node hands such a request over unread as soon as anybody listens for upgrades, so its head is
 * put back without the offer.
 */
export function serveWithoutUpgrade(
  http: Server,
  request: IncomingMessage,
  socket: Duplex,
  rest: Buffer,
): void {
  const head = [
    `${request.method ?? 'GET'} ${request.url ?? '/'} HTTP/${request.httpVersion}`,
    ...otherHeaders(request.rawHeaders),
  ];
  // In the encoding that Node has read it in.
  socket.unshift(Buffer.concat([Buffer.from(`${head.join('\r\n')}\r\n\r\n`, 'latin1'), rest]));
  http.emit('connection', socket);
}

function otherHeaders(rawHeaders: readonly string[]): string[] {
  const lines: string[] = [];
  for (let at = 0; at + 1 < rawHeaders.length; at += 2) {
    const [name = '', value = ''] = rawHeaders.slice(at, at + 2);
    const shown = name.toLowerCase() === 'connection' ? withoutUpgrade(value) : value;
    if (!OF_THE_UPGRADE.has(name.toLowerCase())) lines.push(`${name}: ${shown}`);
  }
  return lines;
}

function withoutUpgrade(connection: string): string {
  return connection
    .split(',')
    .filter((option) => !OF_THE_UPGRADE.has(option.trim().toLowerCase()))
    .join(',');
}
