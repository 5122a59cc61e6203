import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { expect, it, onTestFinished } from 'vitest';
import { createApp } from '../src/app.ts';
import { loadConfig } from '../src/config/config.ts';
import { query } from './database/embedded.ts';
import { emptyDatabase } from './database/migrations.ts';
import { startSilentProxy } from './support/silent-proxy.ts';

/** A server on this machine that accepts connections and says nothing; its port. */
async function mutePort(): Promise<number> {
  const server = createServer((socket) => socket.on('error', () => undefined)).listen(0, '127.0.0.1');
  onTestFinished(() => void server.close());
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

function appOn(databaseUrl: string, env: Record<string, string> = {}) {
  const app = createApp(
    loadConfig({ DATABASE_URL: databaseUrl, PORT: '0', DATABASE_CONNECT_TIMEOUT_MS: '300', ...env }),
  );
  onTestFinished(app.stop);
  return app;
}

async function failureOf(starting: Promise<unknown>): Promise<{ message: string; tookMs: number }> {
  const since = performance.now();
  const error = await starting.then(
    () => new Error('It has started.'),
    (reason: unknown) => reason as Error,
  );
  return { message: error.message, tookMs: performance.now() - since };
}

it('a start on a database that accepts and never answers ends with its host and port, and no password', async () => {
  const port = await mutePort();
  const { message, tookMs } = await failureOf(
    appOn(`postgresql://scheduler:secret@127.0.0.1:${port}/jobs`).start(),
  );
  expect(message).toContain(`The database at 127.0.0.1:${port} cannot be reached: timeout`);
  expect(message).not.toContain('secret');
  expect(tookMs).toBeLessThan(2_000);
});

it('so does one whose pooler never answers while the database behind it does', async () => {
  const port = await mutePort();
  const { message } = await failureOf(
    appOn(`postgresql://scheduler:secret@127.0.0.1:${port}/jobs`, {
      DATABASE_DIRECT_URL: await emptyDatabase(),
    }).start(),
  );
  expect(message).toContain(`The database at 127.0.0.1:${port} cannot be reached`);
  expect(message).not.toContain('secret');
});

it.each(['server_version', 'pg_try_advisory_lock', '_prisma_migrations'])(
  'a start ends when its database falls silent behind a statement with %s',
  async (text) => {
    const proxy = await startSilentProxy(await emptyDatabase());
    onTestFinished(proxy.close);
    void proxy.silenceAfter(text);
    const app = appOn(proxy.connectionString, { DATABASE_QUERY_TIMEOUT_MS: '1000' });
    expect((await failureOf(app.start())).tookMs).toBeLessThan(5_000);
  },
);

it('a stop does not wait for a database that has fallen silent before anything was migrated', async () => {
  const proxy = await startSilentProxy(await emptyDatabase());
  onTestFinished(proxy.close);
  const silenced = proxy.silenceAfter('_prisma_migrations');
  const app = appOn(proxy.connectionString, { DATABASE_QUERY_TIMEOUT_MS: '60000' });
  const starting = failureOf(app.start());
  await silenced;
  await app.stop();
  expect((await starting).tookMs).toBeLessThan(5_000);
});

it('a port that is taken is told before the database is touched', async () => {
  const connectionString = await emptyDatabase();
  const port = await mutePort();
  const { message } = await failureOf(appOn(connectionString, { PORT: `${port}` }).start());
  expect(message).toContain(`Port ${port} on 127.0.0.1 is already taken by another program.`);
  const tables = "SELECT tablename FROM pg_tables WHERE schemaname = 'public'";
  expect(await query(connectionString, tables)).toEqual([]);
});

it('a host that is not of this machine is told before the database is reached', async () => {
  const port = await mutePort();
  const databaseUrl = `postgresql://scheduler:secret@127.0.0.1:${port}/jobs`;
  const { message } = await failureOf(appOn(databaseUrl, { HOST: '192.0.2.1', AUTH_MODE: 'keys' }).start());
  expect(message).toContain('HOST is 192.0.2.1, which is no address of this machine.');
});
