import { describe, expect, it } from 'vitest';
import { startTestServer } from '../test-server.ts';

const HTML = { headers: { Accept: 'text/html,application/xhtml+xml,*/*;q=0.8' } };

describe('GraphiQL', () => {
  it('is one page that loads nothing from elsewhere', async () => {
    const { url } = await startTestServer();
    const response = await fetch(`${url}/graphql`, HTML);
    const page = await response.text();
    expect(response.status).toBe(200);
    expect(response.headers.get('content-type')).toBe('text/html; charset=utf-8');
    const head = page.slice(0, page.indexOf('<script>')).replace(/<style>[^]*<\/style>/, '');
    expect(head).not.toMatch(/(src|href)="(?!data:)/);
    expect(page).not.toMatch(/@import\s+(url\()?["']?(https?:)?\/\//);
    expect(page).not.toMatch(/url\(["']?(https?:)?\/\//);
  });

  it('forbids the browser to load from or send to anywhere else', async () => {
    const { url, port } = await startTestServer();
    const response = await fetch(`${url}/graphql`, HTML);
    await response.body?.cancel();
    const policy = response.headers.get('content-security-policy');
    expect(policy).toContain("default-src 'none'");
    expect(policy).toContain(`connect-src 'self' ws://127.0.0.1:${port} wss://127.0.0.1:${port};`);
    expect(policy).not.toMatch(/https?:|\*/);
  });

  it('uses the websocket for subscriptions and opens with examples', async () => {
    const { url } = await startTestServer();
    const page = await (await fetch(`${url}/graphql`, HTML)).text();
    expect(page).toContain('"subscriptionsProtocol":"WS"');
    expect(page).toContain('mutation CreateJob');
    expect(page).toContain(`${url}/health/live`);
  });

  it('is not sent again to a browser that has it', async () => {
    const { url } = await startTestServer();
    const first = await fetch(`${url}/graphql`, HTML);
    await first.body?.cancel();
    const again = await fetch(`${url}/graphql`, {
      headers: { ...HTML.headers, 'If-None-Match': first.headers.get('etag') ?? '' },
    });
    expect(again.status).toBe(304);
  });

  it('is what a browser sees that opens the server’s address', async () => {
    const { url } = await startTestServer();
    const response = await fetch(url, { ...HTML, redirect: 'manual' });
    expect(response.status).toBe(302);
    expect(response.headers.get('location')).toBe('/graphql');
  });

  it('can be turned off', async () => {
    const { url } = await startTestServer({ graphiql: false });
    const page = await fetch(`${url}/graphql`, HTML);
    expect(await page.json()).toMatchObject({ errors: [{ extensions: { code: 'BAD_REQUEST' } }] });
    const root = await fetch(url, HTML);
    expect(await root.json()).toMatchObject({ graphql: '/graphql', health: '/health' });
  });
});
