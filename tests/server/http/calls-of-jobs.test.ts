import { describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { startTestServer } from '../test-server.ts';

const OF_A_JOB = { 'X-Execution-Id': 'exec_1' };
const REFUSED = {
  errors: [
    {
      message: expect.stringContaining('X-Execution-Id') as string,
      extensions: { code: 'EXECUTION_ID_NOT_ALLOWED' },
    },
  ],
};

describe('A request with the X-Execution-Id of a job', () => {
  it.each([
    ['a query', { accept: 'application/json' }],
    ['a subscription over SSE', { accept: 'text/event-stream' }],
    ['the page of GraphiQL', { accept: 'text/html' }],
  ])('is refused as %s', async (_what, headers) => {
    const { url } = await startTestServer();
    const answer = await fetch(`${url}/graphql?query={hello}`, { headers: { ...headers, ...OF_A_JOB } });
    expect([answer.status, await answer.json()]).toEqual([403, REFUSED]);
  });

  it('is refused as a mutation, which is not run', async () => {
    const { url } = await startTestServer();
    const answer = await fetch(`${url}/graphql`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...OF_A_JOB },
      body: JSON.stringify({ query: 'mutation { __typename }' }),
    });
    expect([answer.status, await answer.json()]).toEqual([403, REFUSED]);
  });

  it('opens no websocket', async () => {
    const { url } = await startTestServer();
    const socket = new WebSocket(`${url.replace('http', 'ws')}/graphql`, 'graphql-transport-ws', {
      headers: OF_A_JOB,
    });
    const outcome = await new Promise((resolve) => {
      socket.once('open', () => {
        resolve('open');
      });
      socket.once('error', ({ message }) => {
        resolve(message);
      });
    });
    expect(outcome).toBe('Unexpected server response: 403');
  });

  it.each(['/health', '/health/live', '/health/ready', '/metrics'])('is answered at %s', async (path) => {
    const { url } = await startTestServer();
    expect((await fetch(url + path, { headers: OF_A_JOB })).status).toBe(200);
  });

  it('is taken as a callback: a target may pass on the headers that it was called with', async () => {
    const { url } = await startTestServer({
      callbacks: {
        read: () => ({ executionId: 'exec_1', attempt: 1, claimSeq: 1 }),
        complete: () => Promise.resolve('completed'),
      },
    });
    const answer = await fetch(`${url}/callbacks/token`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...OF_A_JOB },
      body: '{"status":"success"}',
    });
    expect(answer.status).toBe(200);
  });
});
