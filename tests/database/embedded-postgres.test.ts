import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readdir, readFile, rename, stat, writeFile } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest';
import { startEmbeddedPostgres } from '../../src/database/embedded-postgres.ts';
import { isAlive } from '../../src/database/embedded/cluster.ts';
import { makeTempFolder, type TempFolder } from '../support/temp-folder.ts';
import { until } from '../support/until.ts';
import { clusterFolder, dataFolder, query, serverPid, start } from './embedded.ts';
import { FAST } from './fast-settings.ts';

/** A shared database for tests that leave it unchanged. */
let shared: TempFolder;

beforeAll(async () => {
  shared = await makeTempFolder('embedded');
});

afterAll(() => shared.remove());

it('keeps the data over a restart, in a folder whose path has a space', async () => {
  const dataDir = join(await dataFolder('with space'), 'my data');
  const first = await startEmbeddedPostgres({ dataDir });
  await query(first.connectionString, 'CREATE TABLE kept AS SELECT 42 AS answer');
  await first.stop();

  const second = await start(dataDir);
  expect(await query(second.connectionString, 'SELECT * FROM kept')).toEqual([{ answer: 42 }]);
});

it('is UTF-8 in UTC, durable, and sorts by code point whatever the system’s locale', async () => {
  const dataDir = await dataFolder();
  const server = await startEmbeddedPostgres({ dataDir });
  onTestFinished(server.stop);
  const [row] = await query(
    server.connectionString,
    `SELECT current_setting('server_encoding') AS encoding, current_setting('timezone') AS zone,
            current_setting('fsync') AS fsync, current_setting('listen_addresses') AS addresses,
            'Z' < 'a' AND 'z' < 'ä' AS by_code_point, upper('äöü') AS upper`,
  );
  expect(row).toEqual({
    encoding: 'UTF8',
    zone: 'UTC',
    fsync: 'on',
    addresses: '127.0.0.1',
    by_code_point: true,
    upper: 'ÄÖÜ',
  });
});

it.each([
  { connections: undefined, room: '100' },
  { connections: 1_002, room: '1022' },
])('has enough connections for its owner and others: $connections, $room', async ({ connections, room }) => {
  const own = connections === undefined ? {} : { connections };
  const server = await startEmbeddedPostgres({ dataDir: shared.path, settings: FAST, ...own });
  onTestFinished(server.stop);
  expect(await query(server.connectionString, 'SHOW max_connections')).toEqual([{ max_connections: room }]);
});

it('accepts nobody without the password, which only the owner can read', async () => {
  const dataDir = shared.path;
  const { connectionString } = await start(dataDir);
  await expect(query(connectionString.replace(/:[^:@]+@/, ':wrong@'), 'SELECT 1')).rejects.toMatchObject({
    code: '28P01',
  });
  const { mode } = await stat(join(clusterFolder(dataDir), 'job_scheduler.password'));
  expect(mode & 0o777).toBe(0o600);
});

it('runs two copies at once, each on a port of its own', async () => {
  const [one, two] = await Promise.all([start(await dataFolder()), start(await dataFolder())]);
  expect(new URL(one.connectionString).port).not.toBe(new URL(two.connectionString).port);
  await query(one.connectionString, 'SELECT 1');
  await query(two.connectionString, 'SELECT 1');
});

it('names the folder and the options when another server uses it', async () => {
  const dataDir = shared.path;
  const first = await start(dataDir);
  const pid = await serverPid(dataDir);
  await expect(start(dataDir)).rejects.toThrow(
    `The embedded database in ${dataDir} is in use by a running server (process ${pid}). ` +
      'Stop the other copy, set DATA_DIR to another folder, or set DATABASE_URL.',
  );
  await query(first.connectionString, 'SELECT 1');
});

it('gives a new folder to one of several simultaneous starts, and refuses the others', async () => {
  const dataDir = await dataFolder();
  const results = await Promise.allSettled([start(dataDir), start(dataDir), start(dataDir)]);
  const started = results.filter((result) => result.status === 'fulfilled');
  const refused = results.filter((result) => result.status === 'rejected');
  expect(started).toHaveLength(1);
  for (const { reason } of refused)
    expect(String(reason)).toContain(`The embedded database in ${dataDir} is in use`);
  await query(started[0]?.value.connectionString ?? '', 'SELECT 1');
});

it('uses the given port, and reports a port that another program has', async () => {
  const other = createServer().listen(0, '127.0.0.1');
  await once(other, 'listening');
  const { port } = other.address() as AddressInfo;
  const dataDir = shared.path;
  await expect(startEmbeddedPostgres({ dataDir, port, settings: FAST })).rejects.toThrow(
    `Port ${port}, chosen for the embedded database, is taken by another program.`,
  );
  other.close();
  await once(other, 'close');

  const server = await startEmbeddedPostgres({ dataDir, port, settings: FAST });
  onTestFinished(server.stop);
  expect(new URL(server.connectionString).port).toBe(String(port));
});

it('can be stopped twice, and its process has ended by then', async () => {
  const dataDir = shared.path;
  const server = await start(dataDir);
  const pid = await serverPid(dataDir);
  await Promise.all([server.stop(), server.stop()]);
  expect(isAlive(pid)).toBe(false);
  await server.stop();
});

it('recovers by itself, on the same port, when its server is killed', async () => {
  const dataDir = shared.path;
  const log: string[] = [];
  const { connectionString } = await start(dataDir, (message) => log.push(message));
  await query(connectionString, 'CREATE TABLE survivors AS SELECT 1 AS one');
  process.kill(await serverPid(dataDir), 'SIGKILL');
  expect(await until(() => query(connectionString, 'SELECT * FROM survivors').catch(() => false))).toEqual([
    { one: 1 },
  ]);
  expect(log).toContain('embedded PostgreSQL ended unexpectedly, starting it again');
});

it.skipIf(process.platform !== 'linux')('stops a server whose supervisor was killed', async () => {
  const dataDir = shared.path;
  const server = await start(dataDir);
  const pid = await serverPid(dataDir);
  const supervisor = Number(/^PPid:\s*(\d+)/m.exec(await readFile(`/proc/${pid}/status`, 'utf8'))?.[1]);
  process.kill(supervisor, 'SIGKILL');
  await until(() => !isAlive(pid));
  await server.stop();
});

it('takes over the lock file of a dead server', async () => {
  const dataDir = shared.path;
  await (await start(dataDir)).stop();
  const dead = spawn('true');
  await once(dead, 'exit');
  await writeLockFile(dataDir, dead.pid ?? 0);
  const { connectionString } = await start(dataDir);
  expect(await query(connectionString, 'SELECT 1 AS one')).toEqual([{ one: 1 }]);
});

it('takes over a lock file whose process number belongs to another process by now', async () => {
  const dataDir = shared.path;
  await (await start(dataDir)).stop();
  // PostgreSQL itself gives up only when the process belongs to its own user.
  const { uid, gid } = await stat(clusterFolder(dataDir));
  const foreign = spawn('sleep', ['60'], process.getuid?.() === 0 ? { uid, gid } : {});
  onTestFinished(() => void foreign.kill('SIGKILL'));
  await writeLockFile(dataDir, foreign.pid ?? 0);
  const { connectionString } = await start(dataDir);
  await query(connectionString, 'SELECT 1');
  expect(foreign.exitCode).toBeNull();
});

async function writeLockFile(dataDir: string, pid: number): Promise<void> {
  const path = join(clusterFolder(dataDir), 'postmaster.pid');
  await writeFile(
    path,
    `${pid}\n${clusterFolder(dataDir)}\n1700000000\n5432\n\n127.0.0.1\n        0         0\nready   \n`,
  );
}

it('starts from the beginning after a killed first start, and cleans up its files', async () => {
  const dataDir = await dataFolder();
  const dead = spawn('true');
  await once(dead, 'exit');
  const home = join(dataDir, 'postgres');
  await mkdir(join(home, `initdb-${dead.pid ?? 0}-0a1b2c3d`, 'cluster', 'base'), { recursive: true });
  // A half-written cluster in the data folder cannot come from us, but must not stop the start.
  await mkdir(join(home, 'cluster', 'base'), { recursive: true });

  const { connectionString } = await start(dataDir);
  await query(connectionString, 'SELECT 1');
  const names = await readdir(home);
  expect(names.filter((name) => name.startsWith('initdb-'))).toEqual([]);
  expect(names.filter((name) => name.startsWith('cluster.incomplete-'))).toHaveLength(1);
});

it('reports how to handle a database of another major version', async () => {
  const dataDir = shared.path;
  await (await start(dataDir)).stop();
  const versionFile = join(clusterFolder(dataDir), 'PG_VERSION');
  const version = await readFile(versionFile, 'utf8');
  onTestFinished(() => writeFile(versionFile, version));
  await writeFile(versionFile, '11\n');
  await expect(start(dataDir)).rejects.toThrow(
    /was made by PostgreSQL 11, and the programs here are version \d+/,
  );
});

it('shows the server’s own message when it does not start', async () => {
  const dataDir = shared.path;
  await (await start(dataDir)).stop();
  const control = join(clusterFolder(dataDir), 'global', 'pg_control');
  onTestFinished(() => rename(`${control}.hidden`, control));
  await rename(control, `${control}.hidden`);
  await expect(start(dataDir)).rejects.toThrow(/did not start\. Its last messages:\n[\s\S]*pg_control/);
});
