import { createRequestContext } from '../../src/graphql/context.ts';
import { schema } from '../../src/graphql/schema.ts';
import type { HttpServerOptions } from '../../src/server/server.ts';
import type { ApiHarness } from '../graphql/api-harness.ts';
import { startTestServer, type TestServer } from './test-server.ts';

/** Serves the real API over HTTP and websockets, in the test's own process; stopped when the test ends. */
export function startApiServer(
  { base }: ApiHarness,
  options: Partial<HttpServerOptions> = {},
): Promise<TestServer> {
  return startTestServer({ schema, createContext: (facts) => createRequestContext(base, facts), ...options });
}
