import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface DemoTarget {
  url: string;
  stop: () => Promise<void>;
}

/** Each execution fails this often at /flaky before it succeeds. */
const FLAKY_FAILURES = 2;

/** The service that the sample jobs call: /ok answers, /down never does, /flaky fails twice for each execution. */
export async function startDemoTarget(): Promise<DemoTarget> {
  const failures = new Map<string, number>();
  const server = createServer((request, response) => {
    request.resume();
    const executionId = String(request.headers['x-execution-id']);
    const failed = failures.get(executionId) ?? 0;
    if (request.url === '/ok') {
      response.end('fine\n');
    } else if (request.url === '/flaky' && failed >= FLAKY_FAILURES) {
      failures.delete(executionId);
      response.end('recovered\n');
    } else {
      if (request.url === '/flaky') failures.set(executionId, failed + 1);
      response.writeHead(503).end('out of order\n');
    }
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    stop: async () => {
      const closed = once(server, 'close');
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}
