import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join, posix } from 'node:path';
import { promisify } from 'node:util';
import { createServer, type ViteDevServer } from 'vite';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { decodeCursor } from '../../src/events/cursor.ts';
import { allEnded } from '../acceptance/endings.ts';
import { apiClient, type ApiClient } from '../support/api-client.ts';
import { missingBrowser, openBrowser, type BrowserPage } from '../support/browser.ts';
import { startCuttingProxy, type CuttingProxy } from '../support/cutting-proxy.ts';
import { SHORT_LEASE, type ServerProcess } from '../support/server-process.ts';
import { until } from '../support/until.ts';
import { useWorld } from '../support/world.ts';
import { installApp, type InstalledApp } from './installed-app.ts';

const missing = missingBrowser();
let app: InstalledApp;

beforeAll(async () => {
  app = await installApp();
}, 180_000);
afterAll(async () => {
  await app.remove();
});

const read = (path: string) => readFile(join(app.client, path), 'utf8');

it('the packed client contains all files that it names', async () => {
  const { stdout } = await promisify(execFile)('find', ['.', '-type', 'f'], { cwd: app.client });
  const held = stdout
    .trim()
    .split('\n')
    .map((path) => posix.normalize(path));
  expect(held).toEqual(
    expect.arrayContaining(['LICENSE', 'README.md', 'dist/schema.graphql', 'dist/persisted-documents.json']),
  );

  const { exports } = JSON.parse(await read('package.json')) as {
    exports: Record<string, string | Record<string, string>>;
  };
  const named = Object.values(exports).flatMap((one) =>
    Object.values(typeof one === 'string' ? { one } : one),
  );
  expect(named.map((path) => posix.normalize(path)).filter((path) => !held.includes(path))).toEqual([]);

  for (const map of held.filter((path) => path.endsWith('.map'))) {
    const { sources } = JSON.parse(await read(map)) as { sources: string[] };
    for (const source of sources) expect(held).toContain(posix.join(posix.dirname(map), source));
  }
});

it('compiles strictly and runs on Node with graphql 17', { timeout: 120_000 }, async () => {
  expect(await app.run('node_modules/typescript/bin/tsc')).toBe('');
  const told = JSON.parse(await app.run('compiled/node.js')) as { graphql: string };
  expect(told).toMatchObject({
    scalars: { DateTime: 'string', JSON: 'unknown' },
    feeds: ['function', 'function'],
  });
  expect(told.graphql).toMatch(/^17\./);
});

describe.skipIf(missing !== null)(
  `its hooks in a browser${missing === null ? '' : ` (skipped: ${missing})`}`,
  () => {
    const world = useWorld('file');
    let server: ServerProcess;
    let api: ApiClient;
    let proxy: CuttingProxy;
    let pages: ViteDevServer;
    let browser: BrowserPage;

    beforeAll(async () => {
      server = await world.startServer(SHORT_LEASE);
      api = apiClient({
        get url() {
          return server.url;
        },
      });
      proxy = await startCuttingProxy(() => server.url);
      pages = await createServer({
        root: app.path,
        configFile: false,
        logLevel: 'silent',
        server: {
          port: 0,
          host: '127.0.0.1',
          hmr: false,
          proxy: { '/graphql': { target: proxy.url, ws: true } },
        },
      });
      await pages.listen();
      browser = await openBrowser();
    });

    afterAll(async () => {
      await browser.close();
      await pages.close();
      await proxy.close();
    });

    const addressOf = (client: string) => `${pages.resolvedUrls?.local[0] ?? ''}#${client}`;

    async function shown<Value>(id: string): Promise<Value> {
      return JSON.parse((await browser.page.locator(`#${id}`).textContent()) ?? 'null') as Value;
    }

    type View = { status: string; gap: object | null; error: string | null; cursor: string | null };
    const isLive = async () => (await shown<View>('events-view')).status === 'live';

    const positionOf = (cursor: string) => decodeCursor(cursor)?.position ?? -1n;

    async function positionsAfter(position: bigint): Promise<bigint[]> {
      const { rows } = await world.pool.query<{ position: bigint }>(
        `SELECT position FROM event_log WHERE kind::text LIKE 'EXECUTION_%' AND position > $1 ORDER BY position`,
        [position],
      );
      return rows.map((row) => row.position);
    }

    async function lastPosition(): Promise<bigint> {
      const { rows } = await world.pool.query<{ last: bigint | null }>(
        'SELECT max(position) AS last FROM event_log',
      );
      return rows[0]?.last ?? 0n;
    }

    async function countExecutions(): Promise<number> {
      return (await world.pool.query('SELECT FROM job_executions')).rowCount ?? 0;
    }

    it.each(['urql', 'apollo'])(
      'show every event of bursts, through cuts and a restart, with %s',
      async (client) => {
        const { pool, target } = world;
        await browser.page.goto('about:blank');
        const start = await lastPosition();
        const before = await countExecutions();
        await browser.page.goto(addressOf(client));
        await browser.page.locator('#events-view').waitFor({ timeout: 60_000 });
        await until(isLive, { timeoutMs: 30_000, what: 'the feed is live' });
        const job = await api.createJob({ api: `${target.url}/ok` });

        const ROUNDS = 4;
        const RUNS = 40;
        for (let round = 1; round <= ROUNDS; round += 1) {
          const burst = api.triggerMany(job, RUNS);
          if (round === 2) proxy.cut();
          await burst;
          if (round === 3) {
            await server.kill();
            server = await world.startServer(SHORT_LEASE);
          }
          await allEnded(pool);
        }
        const written = await positionsAfter(start);
        expect(written.length).toBeGreaterThanOrEqual(ROUNDS * RUNS * 3);
        for (const id of ['events', 'others']) {
          const cursors = async () => await shown<string[]>(id);
          await until(async () => (await cursors()).length >= written.length, {
            timeoutMs: 30_000,
            what: `all ${written.length} events are shown`,
          });
          expect((await cursors()).map(positionOf)).toEqual(written);
          expect(await shown<number>(`${id}-draws`)).toBeLessThan(written.length);
          const cursor = (await cursors()).at(-1);
          expect(await shown<View>(`${id}-view`)).toMatchObject({ gap: null, error: null, cursor });
        }
        await until(isLive, { timeoutMs: 10_000, what: 'the feed is live again' });

        const statuses = async () => await shown<[string, string][]>('statuses');
        // The newest ones, at most a page of them, and all later ones.
        const count = Math.min(before, 100) + ROUNDS * RUNS;
        await until(async () => (await statuses()).length === count, { what: `${count} statuses are shown` });
        expect((await statuses()).filter(([, status]) => status !== 'SUCCESS')).toEqual([]);
        expect(browser.complaints.filter((text) => !/WebSocket|Failed to load/.test(text))).toEqual([]);
      },
    );
  },
);
