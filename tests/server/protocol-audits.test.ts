import { serverAudits } from 'graphql-http';
import { describe, expect, it } from 'vitest';
import { startTestServer } from './test-server.ts';

describe('GraphQL over HTTP, by its official audits', () => {
  it('passes all 61', async () => {
    const { url } = await startTestServer();
    const results = await Promise.all(serverAudits({ url: `${url}/graphql` }).map((audit) => audit.fn()));
    const failed = results.filter(({ status }) => status !== 'ok');
    expect(failed.map((result) => ({ ...result, response: undefined }))).toEqual([]);
    expect(results).toHaveLength(61);
  });
});
