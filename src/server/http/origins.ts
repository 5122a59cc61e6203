import type { IncomingMessage, ServerResponse } from 'node:http';

/** Browsers ask again after this time whether they may. */
const PREFLIGHT_SECONDS = 86_400;

/**
 * Which web pages may talk to the server. Browsers enforce it for HTTP, given the right headers; for websockets they
 * enforce nothing, so an upgrade is refused here.
 */
export interface OriginPolicy {
  /** Whether a page of this request's origin may open a websocket. No origin: not a browser, nothing to protect. */
  mayUpgrade: (request: IncomingMessage) => boolean;
  /** Sets the CORS headers. Answers true if the request was a preflight, which is then already answered. */
  applyCors: (request: IncomingMessage, response: ServerResponse) => boolean;
}

/** @param allowed origins besides the server's own, such as `https://jobs.example.com`; `*` stands for all */
export function createOriginPolicy(allowed: readonly string[]): OriginPolicy {
  const listed = new Set(allowed.map((origin) => origin.toLowerCase().replace(/\/$/, '')));
  const isListed = (origin: string) => listed.has('*') || listed.has(origin.toLowerCase());

  return {
    mayUpgrade(request) {
      const { origin } = request.headers;
      return origin === undefined || isListed(origin) || isOwnOrigin(origin, request);
    },
    applyCors(request, response) {
      const { origin } = request.headers;
      response.setHeader('Vary', 'Origin');
      if (origin !== undefined && isListed(origin)) {
        response.setHeader('Access-Control-Allow-Origin', origin);
        response.setHeader('Access-Control-Expose-Headers', 'X-Request-Id');
      }
      if (request.method !== 'OPTIONS') return false;

      response.setHeader('Allow', 'GET, POST, OPTIONS');
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
