import type { IncomingMessage } from 'node:http';
import { isIP } from 'node:net';
import { boundedMemo } from '../../domain/values/bounded-memo.ts';
import { shorten } from '../../domain/values/text.ts';
import type { RequestRefusal } from './respond.ts';

const KNOWN_LIMIT = 100;

/** Whether a request asks for the server by a name that it goes by. */
export type HostCheck = (request: IncomingMessage) => boolean;

/**
 * Which names the server goes by. A web page can make a name of its own lead to an address that only its reader reaches, this
 * machine for one: to the browser the server then is the page's own, and no rule about origins protects it. The name is
 * what gives such a page away. Nobody owns an address, `localhost`, or a name without a dot, so these are always fine.
 *
 * @param allowed host names in lower case; `*` stands for all
 */
export function createHostCheck(allowed: readonly string[]): HostCheck {
  const names = new Set(allowed);
  if (names.has('*')) return () => true;
  // Clients ask by few names, many times.
  const isAllowed = boundedMemo(KNOWN_LIMIT, (host) => {
    const name = nameIn(host);
    return name !== null && (isNobodys(name) || names.has(name));
  });
  // Browsers always send one.
  return ({ headers: { host } }) => host === undefined || isAllowed(host);
}

/** The refusal of a request for any other name. */
export function misdirected({ headers: { host = '' } }: IncomingMessage): RequestRefusal {
  return {
    status: 421,
    code: 'HOST_NOT_ALLOWED',
    message: `The server does not go by the name ${shorten(host, 100)}. The operator says in ALLOWED_HOSTS or PUBLIC_URL by which names it does.`,
  };
}

/** The host name in a Host header, in lower case; null where there is none. */
function nameIn(host: string): string | null {
  const url = `http://${host}`;
  return URL.canParse(url) ? new URL(url).hostname.replace(/\.$/, '') : null;
}

function isNobodys(name: string): boolean {
  return !name.includes('.') || name.endsWith('.localhost') || isIP(name) !== 0;
}
