import { describe, expect, it } from 'vitest';
import { HEALTHY, startTestServer } from '../test-server.ts';

async function get(url: string, path: string, method = 'GET') {
  const response = await fetch(`${url}${path}`, { method });
  const text = await response.text();
  return {
    status: response.status,
    headers: response.headers,
    body: text === '' ? null : (JSON.parse(text) as unknown),
  };
}

describe('Health endpoints', () => {
  it('report a healthy instance as live and ready', async () => {
    const { url } = await startTestServer();
    expect(await get(url, '/health/live')).toMatchObject({ status: 200, body: { status: 'UP' } });
    expect(await get(url, '/health/ready')).toMatchObject({
      status: 200,
      body: { status: 'UP', reasons: [] },
    });
    expect(await get(url, '/health')).toMatchObject({
      status: 200,
      body: { ...HEALTHY, live: true, ready: true },
    });
  });

  it('give the reasons while the database is away and the scheduler does not tick', async () => {
    const { url } = await startTestServer({
      health: () =>
        Promise.resolve({
          ...HEALTHY,
          status: 'DOWN',
          database: { status: 'DOWN', latencyMs: null, message: 'connection refused' },
          scheduler: { status: 'DOWN', message: 'no tick for 42 s' },
        }),
    });
    const reasons = ['database: connection refused', 'scheduler: no tick for 42 s'];
    expect(await get(url, '/health/ready')).toMatchObject({ status: 503, body: { status: 'DOWN', reasons } });
    expect(await get(url, '/health')).toMatchObject({
      status: 503,
      body: { status: 'DOWN', live: true, ready: false, reasons },
    });
    expect((await get(url, '/health/live')).status).toBe(200);
  });

  it('keep a degraded instance in service', async () => {
    const { url } = await startTestServer({
      health: () =>
        Promise.resolve({
          ...HEALTHY,
          status: 'DEGRADED',
          scheduler: { status: 'DEGRADED', message: 'late' },
        }),
    });
    expect((await get(url, '/health/ready')).status).toBe(200);
  });

  it('answer in bounded time while the database hangs, and ask it once only', async () => {
    let asked = 0;
    const { url, logged } = await startTestServer({
      healthTimeoutMs: 50,
      health: () => {
        asked += 1;
        return new Promise(() => undefined);
      },
    });
    const answers = await Promise.all([
      get(url, '/health/ready'),
      get(url, '/health/ready'),
      get(url, '/health'),
    ]);
    expect(answers.map(({ status }) => status)).toEqual([503, 503, 503]);
    expect(answers[0].body).toMatchObject({ reasons: [expect.stringContaining('did not finish')] });
    expect(asked).toBe(1);
    expect(logged('Health check took too long')).toHaveLength(1);
  });

  it('answer 503 when the check itself fails, without telling why', async () => {
    const { url, logged } = await startTestServer({
      health: () => Promise.reject(new Error('password is wrong')),
    });
    const { status, body } = await get(url, '/health/ready');
    expect(status).toBe(503);
    expect(JSON.stringify(body)).not.toContain('password');
    expect(logged('Health check failed')).toHaveLength(1);
  });

  it('answer HEAD without a body, and are never cached', async () => {
    const { url } = await startTestServer();
    const { status, headers, body } = await get(url, '/health/ready', 'HEAD');
    expect(status).toBe(200);
    expect(body).toBeNull();
    expect(headers.get('cache-control')).toBe('no-store');
  });

  it('refuse other methods', async () => {
    const { url } = await startTestServer();
    const { status, headers } = await get(url, '/health', 'POST');
    expect(status).toBe(405);
    expect(headers.get('allow')).toBe('GET, HEAD');
  });
});
