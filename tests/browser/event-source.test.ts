import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createCommands, type Commands } from '../../src/commands/commands.ts';
import { CALLER, valueOf } from '../commands/harness.ts';
import { type ApiHarness, createApiHarness } from '../graphql/api-harness.ts';
import { startApiServer } from '../server/api-server.ts';
import { missingBrowser, openBrowser, type BrowserPage } from '../support/browser.ts';
import { startFlakyProxy } from '../support/flaky-proxy.ts';
import { until } from '../support/until.ts';

const missing = missingBrowser();
const JOBS = 'subscription { jobEvents { ... on JobEvent { job { name } } } }';

describe.skipIf(missing !== null)(
  `EventSource in a browser${missing === null ? '' : ` (skipped: ${missing})`}`,
  () => {
    let api: ApiHarness;
    let commands: Commands;
    let browser: BrowserPage;

    beforeAll(async () => {
      [api, browser] = await Promise.all([createApiHarness(), openBrowser()]);
      commands = createCommands({ ...api.deps, wake: api.hub.wake });
    }, 120_000);

    afterAll(async () => {
      await browser.close();
      await api.close();
    });

    async function create(name: string): Promise<void> {
      valueOf(await commands.createJob(CALLER, { name, api: 'http://a.test/' }));
    }

    it('loses nothing, also when its connection breaks before the first event', async () => {
      const { port } = await startApiServer(api);
      const proxy = await startFlakyProxy(port);
      await browser.page.goto(`${proxy.url}/health/live`);
      await browser.page.evaluate((query) => {
        const source = new EventSource(`/graphql?query=${encodeURIComponent(query)}`);
        const names: string[] = [];
        source.addEventListener('next', ({ data }) => {
          const { jobEvents } = (
            JSON.parse(String(data)) as { data: { jobEvents: { job: { name: string } } } }
          ).data;
          names.push(jobEvents.job.name);
        });
        Object.assign(globalThis, { followed: { source, names } });
      }, JOBS);
      const followed = () =>
        browser.page.evaluate(() => {
          const { source, names } = (
            globalThis as unknown as { followed: { source: EventSource; names: string[] } }
          ).followed;
          return { isOpen: source.readyState === source.OPEN, names };
        });
      await until(async () => (await followed()).isOpen);

      const names: string[] = [];
      for (const name of ['One', 'Two', 'Three']) {
        proxy.refuse();
        proxy.cut();
        names.push(name);
        await create(name);
        proxy.mend();
        await until(async () => (await followed()).names.length === names.length);
      }
      expect((await followed()).names).toEqual(names);
    });
  },
);
