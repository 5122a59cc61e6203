import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createApp } from '../../src/app.ts';
import type { App } from '../../src/app.ts';
import { loadConfig } from '../../src/config.ts';
import { missingBrowser, openBrowser } from '../support/browser.ts';
import type { BrowserPage } from '../support/browser.ts';
import { createTestDatabase } from '../support/database.ts';
import type { TestDatabase } from '../support/database.ts';
import { until } from '../support/until.ts';

const missing = missingBrowser();

describe.skipIf(missing !== null)(
  `GraphiQL in a browser${missing === null ? '' : ` (skipped: ${missing})`}`,
  () => {
    let database: TestDatabase;
    let app: App;
    let browser: BrowserPage;
    let url: string;

    beforeAll(async () => {
      database = await createTestDatabase();
      app = createApp(loadConfig({ DATABASE_URL: database.connectionString, PORT: '0' }));
      ({ url } = await app.start());
      browser = await openBrowser();
      await browser.page.goto(url);
    }, 120_000);

    afterAll(async () => {
      await browser.close();
      await app.stop();
      await database.drop();
    });

    /** Runs what stands in the editor. */
    async function execute(): Promise<void> {
      const button = browser.page.getByRole('button', { name: /^Execute query/ });
      const response = browser.page.locator('.graphiql-response');
      await button.click();
      // GraphiQL reads an operation's name a moment after the edit, and says so to whoever is quicker.
      await until(
        async () => {
          const text = (await response.textContent()) ?? '';
          if (text.includes('Cannot infer operation')) await button.click();
          return text.includes('"data"');
        },
        { timeoutMs: 30_000, what: 'GraphiQL shows an answer' },
      );
    }

    /**
     * Puts an operation in place of what the editor holds, and runs it. It bears the name of the one before: GraphiQL
     * reads a name late after an edit, and until then runs the text under the old one.
     */
    async function run(operation: string): Promise<void> {
      await browser.page.locator('.graphiql-query-editor .view-lines').click();
      await browser.page.keyboard.press('Control+A');
      await browser.page.keyboard.insertText(operation);
      await execute();
    }

    /** Waits until a part of the page shows this. */
    async function shown(selector: string, text: RegExp): Promise<void> {
      const part = browser.page.locator(selector);
      // The editor writes spaces as no-break spaces.
      const read = async () => (await part.textContent())?.replaceAll('\u00a0', ' ') ?? '';
      await until(async () => text.test(await read()), {
        timeoutMs: 30_000,
        what: `${selector} shows ${text}`,
      });
    }

    it(
      'opens from the server’s address with an example that runs as it stands',
      { timeout: 120_000 },
      async () => {
        expect(browser.page.url()).toBe(`${url}/graphql`);
        await shown('.graphiql-query-editor', /mutation CreateJob/);
        await execute();
        await shown('.graphiql-response', /"scheduleDescription": "Every 10 seconds"/);
        await run('query CreateJob { jobs { totalCount nodes { name } } }');
        await shown('.graphiql-response', /"name": "My first job"/);
      },
    );

    it('shows a subscription’s events as they come, over the websocket', { timeout: 120_000 }, async () => {
      await run(
        'subscription CreateJob { executionEvents { ... on ExecutionEvent { kind execution { responseStatus } } } }',
      );
      await shown('.graphiql-response', /"kind": "SUCCEEDED".*"responseStatus": 200/);
      expect(browser.addresses).toContain(`${url.replace('http', 'ws')}/graphql`);
    });

    it('has sent nothing to anywhere else, and has nothing to complain about', () => {
      const own = [url, `blob:${url}`, url.replace('http', 'ws'), 'data:'];
      const others = browser.addresses.filter((address) => !own.some((origin) => address.startsWith(origin)));
      expect(others).toEqual([]);
      expect(browser.complaints).toEqual([]);
    });
  },
);
