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

    /** Opens one of the example tabs and runs it. The editor fills late, and must have before the next click. */
    async function run(tab: string): Promise<void> {
      await shown('.graphiql-query-editor', /CreateJob|Watch|Jobs/);
      // By keyboard: the tabs slide about under a pointer.
      await browser.page.locator(`button[title="${tab}"]`).press('Enter');
      await shown('.graphiql-query-editor', new RegExp(`(query|mutation|subscription) ${tab}`));
      await browser.page.getByRole('button', { name: /^Execute query/ }).click();
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
      'opens from the server’s address with examples that run as they stand',
      { timeout: 120_000 },
      async () => {
        expect(browser.page.url()).toBe(`${url}/graphql`);
        await run('Jobs');
        await shown('.graphiql-response', /"totalCount": 0/);
        await run('CreateJob');
        await shown('.graphiql-response', /"scheduleDescription": "Every 10 seconds"/);
        await run('Jobs');
        await shown('.graphiql-response', /"name": "My first job"/);
      },
    );

    it('shows a subscription’s events as they come, over the websocket', { timeout: 120_000 }, async () => {
      await run('Watch');
      await shown('.graphiql-response', /"kind": "(PLANNED|STARTED|SUCCEEDED)"/);
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
