import type { IncomingMessage, ServerResponse } from 'node:http';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';

const compress = promisify(gzip);

/** What the editor opens with: a job, its live feed, and a look at what there is; run from the top. */
const EXAMPLES = `# Welcome. Run one operation at a time: place the cursor in it and press Ctrl-Enter.

mutation CreateJob {
  createJob(
    input: {
      name: "My first job"
      schedule: "*/10 * * * * *" # every 10 seconds; the first field is the seconds
      timezone: "UTC"
      api: "https://example.com/"
    }
  ) {
    job {
      id
      name
      nextRunAt
    }
    errors {
      code
      message
      path
    }
  }
}

# Every change of an execution, live. To resume after a break, pass the last cursor: executionEvents(after: "…")
subscription Watch {
  executionEvents {
    ... on ExecutionEvent {
      cursor
      at
      kind
      status
      attempt
      execution {
        id
        job {
          name
        }
      }
    }
    ... on FeedGap {
      reason
      toCursor
    }
  }
}

query Jobs {
  jobs(first: 20) {
    totalCount
    nodes {
      id
      name
      status
      scheduleDescription
      nextRunAt
      lastExecution {
        status
        startedAt
        durationMs
      }
    }
  }
}
`;

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
    page ??= renderPage().then(compress);
    response.writeHead(200, {
      ...headers,
      'Content-Type': 'text/html; charset=utf-8',
      'Content-Encoding': 'gzip',
    });
    response.end(await page);
  };
}

async function renderPage(): Promise<string> {
  // Loaded when needed: parsing its 9 MB would delay every start.
  const { renderGraphiQL } = await import('@graphql-yoga/render-graphiql');
  return renderGraphiQL({
    title: 'Job scheduler · GraphiQL',
    defaultQuery: EXAMPLES,
    subscriptionsProtocol: 'WS',
    shouldPersistHeaders: false,
  });
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
