import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createApp } from '../../src/app.ts';
import type { App } from '../../src/app.ts';
import { loadConfig } from '../../src/config/config.ts';
import { apiClient } from '../support/api-client.ts';
import { missingBrowser, openBrowser } from '../support/browser.ts';
import type { BrowserPage } from '../support/browser.ts';
import { createTestDatabase } from '../support/database.ts';
import type { TestDatabase } from '../support/database.ts';
import { until } from '../support/until.ts';

const missing = missingBrowser();
const LONG = { timeout: 120_000 };

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

    const runButton = () => browser.page.getByRole('button', { name: /^Execute query/ });
    const stopButton = () => browser.page.getByRole('button', { name: /^Stop query/ });

    /** Runs one of the operations in the editor through its menu. */
    async function run(operation: string): Promise<void> {
      await runButton().click();
      await browser.page.getByRole('menuitem', { name: operation, exact: true }).click();
    }

    /** The text of a part of the page. The editor writes spaces as no-break spaces. */
    async function read(selector: string): Promise<string> {
      return (await browser.page.locator(selector).textContent())?.replaceAll('\u00a0', ' ') ?? '';
    }

    /** Waits until a part of the page shows this text. */
    async function shown(selector: string, text: RegExp): Promise<void> {
      await until(async () => text.test(await read(selector)), {
        timeoutMs: 30_000,
        what: `${selector} shows ${text}`,
      });
    }

    it('opens from the server’s address with operations that run without changes', LONG, async () => {
      expect(browser.page.url()).toBe(`${url}/graphql`);
      await shown('.graphiql-query-editor', /mutation CreateJob/);
      await run('CreateJob');
      await shown('.graphiql-response', /"scheduleDescription": "Every 10 seconds"/);
      await run('Jobs');
      await shown('.graphiql-response', /"totalCount": 1.*"name": "My first job"/);
    });

    it('shows a subscription’s events live over the websocket until it is stopped', LONG, async () => {
      const api = apiClient({ url });
      const { jobs } = await api.query<{ jobs: { nodes: [{ id: string }] } }>(
        '{ jobs(first: 1) { nodes { id } } }',
      );
      const [job] = jobs.nodes;
      await run('Watch');
      await stopButton().waitFor();
      // The job also runs on its own schedule, every ten seconds.
      await api.trigger(job);
      await shown('.graphiql-response', /"kind": "SUCCEEDED".*"name": "My first job".*"responseStatus": 200/);
      const cursors = new Set<string>();
      await api.trigger(job);
      await until(
        async () => {
          const [, cursor] = /"cursor": "([^"]+)"/.exec(await read('.graphiql-response')) ?? [];
          if (cursor !== undefined) cursors.add(cursor);
          return cursors.size > 1;
        },
        { timeoutMs: 30_000, what: 'one event is shown after another' },
      );
      expect(browser.addresses).toContain(`${url.replace('http', 'ws')}/graphql`);
      await stopButton().click();
      await runButton().waitFor();
    });

    it('redrives a dead letter', LONG, async () => {
      await run('CreateFailingJob');
      await shown('.graphiql-response', /"createJob": \{ *"job": \{ *"id": "job_/);
      await until(
        async () => {
          await run('DeadLetters');
          await shown('.graphiql-response', /"deadLetters": \{ *"totalCount"/);
          return (await read('.graphiql-response')).includes('My failing job');
        },
        { timeoutMs: 30_000, what: 'there is a dead letter' },
      );
      await run('RedriveDeadLetters');
      await shown('.graphiql-response', /"redrivenCount": [1-9].*"trigger": "REDRIVE"/);
    });

    it('runs the operation at the cursor', LONG, async () => {
      await browser.page.locator('.view-line', { hasText: 'scheduleDescription' }).first().click();
      await browser.page.keyboard.press('Control+Enter');
      await shown('.graphiql-response', /"createJob": \{ *"job": \{ *"id": "job_/);
    });

    it('opens with the same operations on later visits, and with the content of a link', LONG, async () => {
      const tabs = browser.page.locator('.graphiql-tab-button');
      await browser.page.goto(url);
      await shown('.graphiql-query-editor', /mutation CreateJob/);
      expect(await tabs.count()).toBe(1);
      await browser.page.goto(`${url}/graphql?query=${encodeURIComponent('{ health { status } }')}`);
      await shown('.graphiql-query-editor', /\{ health \{ status/);
      await runButton().click();
      await shown('.graphiql-response', /"status": "UP"/);
    });

    it('has sent nothing to other hosts, and has logged no errors', () => {
      const own = [url, `blob:${url}`, url.replace('http', 'ws'), 'data:'];
      const others = browser.addresses.filter((address) => !own.some((origin) => address.startsWith(origin)));
      expect(others).toEqual([]);
      expect(browser.complaints).toEqual([]);
    });
  },
);
