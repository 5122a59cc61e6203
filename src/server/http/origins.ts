import type { IncomingMessage, ServerResponse } from 'node:http';
import { shorten } from '../../domain/values/text.ts';
import { refuse } from './respond.ts';
import type { ServerLog } from './server-log.ts';

/** Browsers ask again after this time whether they may. */
const PREFLIGHT_SECONDS = 86_400;

/** Characters of an origin that are shown. */
const MAX_SHOWN_ORIGIN = 50;

/** Origins that are remembered as logged, so that a client which sends many gets no line for each. */
const MAX_LOGGED_ORIGINS = 100;

/**
 * Which web pages may talk to the server. Browsers enforce it for HTTP, given the right headers. They enforce nothing for
 * websockets, so the server does. The log names each refused origin once.
 */
export interface OriginPolicy {
  /** Whether a page of this request's origin may open a websocket. No origin: not a browser, nothing to protect. */
  mayUpgrade: (request: IncomingMessage) => boolean;
  /** Sets the CORS headers. Answers true if the request was a preflight, which is then already answered. */
  applyCors: (request: IncomingMessage, response: ServerResponse) => boolean;
}

/** @param allowed origins besides the server's own, such as `https://jobs.example.com`; `*` stands for all */
export function createOriginPolicy(allowed: readonly string[], log: Pick<ServerLog, 'warn'>): OriginPolicy {
  const listed = new Set(allowed.map((origin) => origin.toLowerCase().replace(/\/$/, '')));
  const isListed = (origin: string) => listed.has('*') || listed.has(origin.toLowerCase());

  const logged = new Set<string>();

  function mayCall(request: IncomingMessage): boolean {
    const { origin } = request.headers;
    if (origin === undefined || isListed(origin) || isOwnOrigin(origin, request)) return true;
    const shown = shorten(origin, MAX_SHOWN_ORIGIN);
    if (!logged.has(shown) && logged.size < MAX_LOGGED_ORIGINS) {
      logged.add(shown);
      log.warn('A web page of an origin that CORS_ORIGINS does not name calls the API', { origin: shown });
    }
    return false;
  }

  return {
    mayUpgrade: mayCall,
    applyCors(request, response) {
      const { origin } = request.headers;
      const isRefused = !mayCall(request);
      response.setHeader('Vary', 'Origin');
      if (origin !== undefined && isListed(origin)) {
        response.setHeader('Access-Control-Allow-Origin', origin);
        response.setHeader('Access-Control-Expose-Headers', 'X-Request-Id');
      }
      if (request.method !== 'OPTIONS') return false;

      response.setHeader('Allow', 'GET, POST, OPTIONS');
      if (isRefused) {
        refuse(response, { status: 403, code: 'ORIGIN_NOT_ALLOWED', message: originRefusal(request) });
        return true;
      }
      if (origin !== undefined && isListed(origin)) {
        response.setHeader('Access-Control-Allow-Methods', 'GET, POST');
        response.setHeader(
          'Access-Control-Allow-Headers',
          'Accept, Authorization, Content-Type, Last-Event-ID, X-Request-Id',
        );
        response.setHeader('Access-Control-Max-Age', String(PREFLIGHT_SECONDS));
      }
      response.writeHead(204).end();
      return true;
    },
  };
}

/** The message to a page of another origin, over HTTP and as the reason of a close, which has room for 123 bytes. */
export function originRefusal({ headers: { origin = '' } }: IncomingMessage): string {
  return `${shorten(origin, MAX_SHOWN_ORIGIN)} may not connect: the operator lists allowed origins in CORS_ORIGINS`;
}

/**
 * Same host, whatever the scheme: behind a proxy that ends TLS the page is https and this request is http. The
 * forwarded host may be believed, since a page cannot set headers on a websocket.
 */
function isOwnOrigin(origin: string, request: IncomingMessage): boolean {
  const url = parseUrl(origin);
  if (url === null) return false;
  return [request.headers.host, request.headers['x-forwarded-host']].some(
    (host) => typeof host === 'string' && parseUrl(`${url.protocol}//${host}`)?.host === url.host,
  );
}

function parseUrl(text: string): URL | null {
  return URL.canParse(text) ? new URL(text) : null;
}
