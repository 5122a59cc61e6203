import type { IncomingMessage, ServerResponse } from 'node:http';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import { graphiqlExamples } from './graphiql-examples.ts';

const compress = promisify(gzip);

/** Whether this is a person's browser opening the endpoint, rather than a client asking it. */
export function wantsGraphiql(request: IncomingMessage): boolean {
  return request.method === 'GET' && (request.headers.accept ?? '').includes('text/html');
}

/**
 * Serves GraphiQL as one page with everything inside: 9 MB, so it is made when first asked for, kept compressed, and
 * revalidated by its version instead of being sent again.
 */
export function createGraphiqlPage(
  version: string,
): (request: IncomingMessage, response: ServerResponse) => Promise<void> {
  const etag = `"graphiql-${version}"`;
  let page: Promise<Buffer> | undefined;

  return async (request, response) => {
    const headers = {
      'Content-Security-Policy': contentSecurityPolicy(request.headers.host),
      'Cache-Control': 'no-cache',
      ETag: etag,
      Vary: 'Accept, Accept-Encoding',
    };
    if (request.headers['if-none-match'] === etag) {
      response.writeHead(304, headers).end();
      return;
    }
    page ??= renderPage(ownUrl(request)).then(compress);
    response.writeHead(200, {
      ...headers,
      'Content-Type': 'text/html; charset=utf-8',
      'Content-Encoding': 'gzip',
    });
    response.end(await page);
  };
}

async function renderPage(serverUrl: string): Promise<string> {
  // Loaded when needed: parsing its 9 MB would delay every start.
  const { renderGraphiQL } = await import('@graphql-yoga/render-graphiql');
  const examples = graphiqlExamples(serverUrl);
  const page = renderGraphiQL({
    title: 'Job scheduler',
    defaultQuery: examples,
    subscriptionsProtocol: 'WS',
    shouldPersistHeaders: false,
  });
  return openWith(examples, page);
}

/**
 * GraphiQL shows its default to newcomers alone; whoever comes again finds an empty tab in front of theirs. It reads what
 * to open with from the address, which changes with each edit and can be passed on, and then from here.
 */
function openWith(query: string, page: string): string {
  const root = '<div id="root"></div>';
  if (!page.includes(root)) throw new Error('GraphiQL’s page is not what it was: it has no root');
  const text = JSON.stringify(query).replaceAll('<', '\\u003c');
  return page.replace(root, () => `${root}<script>localStorage.setItem('graphiql:query', ${text});</script>`);
}

/** The address that this connection has reached, which the server itself can reach too. */
function ownUrl({ socket }: IncomingMessage): string {
  const address = (socket.localAddress ?? '127.0.0.1').replace(/^::ffff:/, '');
  return `http://${address.includes(':') ? `[${address}]` : address}:${socket.localPort ?? 80}`;
}

/**
 * Nothing may be loaded from, or sent to, anywhere but this server, whatever the page's libraries would like. Its script
 * is inline and its editor's workers are blobs. The websocket is named, since some browsers do not count it as 'self'.
 */
function contentSecurityPolicy(host = ''): string {
  const sockets = /^[\w.:[\]-]+$/.test(host) ? ` ws://${host} wss://${host}` : '';
  return [
    "default-src 'none'",
    "script-src 'unsafe-inline' 'unsafe-eval' blob:",
    'worker-src blob:',
    "style-src 'unsafe-inline'",
    'font-src data:',
    "img-src 'self' data:",
    `connect-src 'self'${sockets}`,
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join('; ');
}
