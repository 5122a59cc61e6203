import { createHmac } from 'node:crypto';
import { createServer, type AddressInfo } from 'node:net';
import { realpath } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import pg from 'pg';
import { StartError } from '../async/start-error.ts';
import { unusableFolder } from '../async/usable-folder.ts';
import { locatePackage, runnableBinaries, type Binaries } from './embedded/binaries.ts';
import {
  clusterFolderOf,
  findPostmaster,
  provideCluster,
  readPassword,
  removeForeignLock,
  SUPERUSER,
  type Cluster,
} from './embedded/cluster.ts';
import { provideHome, type Home } from './embedded/home.ts';
import { keepRunning } from './embedded/keep-running.ts';
import { launchServer, type Server } from './embedded/supervisor.ts';
import type { DatabaseLog } from './log.ts';

/** A PostgreSQL server of our own, reachable from this machine only. */
export type EmbeddedPostgres = {
  /** Of the superuser, who owns the tables. Holds its password: not for logs. */
  connectionString: string;
  /** Of the role that the scheduler runs under; the migrations make it. Holds its password, too. */
  runtimeConnectionString: string;
  /** Shuts the server down and resolves when its process is gone. May be called again, and at any time. */
  stop: () => Promise<void>;
};

export type EmbeddedPostgresOptions = {
  /** The scheduler's data folder; the database lives in `postgres` below it. */
  dataDir: string;
  /** A fixed port; without it, each start takes a free one. */
  port?: number;
  /** How many connections the owner may open at once; there is room for more, such as a backup's. */
  connections?: number;
  log?: DatabaseLog;
  /** PostgreSQL settings that are laid over our own, such as `fsync: 'off'` in tests. */
  settings?: Record<string, string>;
};

const DATABASE = 'job_scheduler';
const RUNTIME_ROLE = 'job_scheduler_runtime';
const PORT_ATTEMPTS = 5;
/** How long a server that has just lost its owner may take to begin its shutdown. */
const HANDOVER_MS = 2_000;
/** A shutdown under way may have a large checkpoint to write. */
const SHUTDOWN_MS = 60_000;
/** Recovery after a crash replays what was written since the last checkpoint; it takes seconds, rarely minutes. */
const START_MS = 300_000;
const POLL_MS = 25;

const FEWEST_CONNECTIONS = 100;
/** Beside the owner's: for migrations, for people and their tools, and for what is still there of connections that were lost. */
const RESERVED_CONNECTIONS = 20;

const SETTINGS: Record<string, string> = {
  listen_addresses: '127.0.0.1',
  unix_socket_directories: '',
  timezone: 'UTC',
  log_timezone: 'UTC',
  log_checkpoints: 'off',
};

/**
 * Starts the embedded PostgreSQL of a data folder, making it on the first start. Needs no network and no rights
 * beyond writing to the folder; as root, the server runs under an unprivileged account.
 *
 * However this process ends, kill -9 included, the server is shut down after it. A server that ends by itself is
 * started again on the same port, so that connection pools recover.
 *
 * @throws Error that says what to do: the folder is in use or unusable, the port is taken, or there are no programs for
 * this platform (then: set DATABASE_URL)
 */
export async function startEmbeddedPostgres(options: EmbeddedPostgresOptions): Promise<EmbeddedPostgres> {
  const { connections = 0, log = () => undefined } = options;
  const settings: Record<string, string> = {
    ...SETTINGS,
    max_connections: String(Math.max(FEWEST_CONNECTIONS, connections + RESERVED_CONNECTIONS)),
    ...options.settings,
  };
  const dataDir = resolve(options.dataDir);
  try {
    return await startIn(dataDir, options.port, settings, log);
  } catch (error) {
    throw unusableFolder('DATA_DIR', dataDir, error, ', or set DATABASE_URL to a PostgreSQL server') ?? error;
  }
}

async function startIn(
  dataDir: string,
  wantedPort: number | undefined,
  settings: Record<string, string>,
  log: DatabaseLog,
): Promise<EmbeddedPostgres> {
  const source = await locatePackage();
  const home = await provideHome(dataDir, log);
  const binaries = await runnableBinaries(source, home.account, home.copiesFolder, log);
  const cluster = await provideCluster(home, binaries, settings['fsync'] !== 'off', log);
  await awaitVacancy(cluster.folder, dataDir);

  const parts = { home, cluster, binaries, dataDir };
  const launch = (port: number) => launchReady(parts, { ...settings, port: String(port) });
  const { server, port } = await launchOnPort(wantedPort, launch);
  log('embedded PostgreSQL is ready', { port, folder: cluster.folder });
  const stop = keepRunning(server, () => launch(port), log);
  try {
    await createDatabase(port, cluster.password);
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    connectionString: connectionStringOf(SUPERUSER, cluster.password, port),
    runtimeConnectionString: runtimeConnectionStringOf(cluster.password, port),
    stop,
  };
}

/**
 * The embedded PostgreSQL of a data folder that another process has started. Null where none is ready.
 *
 * @returns the connection string of the role that the scheduler runs under
 * @throws Error where its password may not be read by this user
 */
export async function findEmbeddedPostgres(dataDir: string): Promise<string | null> {
  const home = await realpath(join(dataDir, 'postgres')).catch(() => null);
  if (home === null) return null;
  const cluster = clusterFolderOf(home);
  const postmaster = await findPostmaster(cluster);
  if (postmaster?.status !== 'ready') return null;
  return runtimeConnectionStringOf(await readPassword(cluster), postmaster.port);
}

function runtimeConnectionStringOf(superuserPassword: string, port: number): string {
  return connectionStringOf(RUNTIME_ROLE, runtimePassword(superuserPassword), port);
}

function connectionStringOf(role: string, password: string, port: number): string {
  return `postgresql://${role}:${password}@127.0.0.1:${port}/${DATABASE}`;
}

/** Follows from the superuser's, so that one secret is kept; does not tell it. */
function runtimePassword(superuserPassword: string): string {
  return createHmac('sha256', superuserPassword).update(RUNTIME_ROLE).digest('base64url');
}

type Parts = { home: Home; cluster: Cluster; binaries: Binaries; dataDir: string };

/**
 * Waits for a server of the same folder to finish when it is on its way out, as it is for a moment after its owner
 * was killed.
 */
async function awaitVacancy(clusterFolder: string, dataDir: string): Promise<void> {
  const since = performance.now();
  for (;;) {
    const postmaster = await findPostmaster(clusterFolder);
    if (postmaster === undefined) return removeForeignLock(clusterFolder);
    const patienceMs = postmaster.status === 'stopping' ? SHUTDOWN_MS : HANDOVER_MS;
    if (performance.now() - since > patienceMs) throw inUse(dataDir, postmaster.pid);
    await delay(POLL_MS);
  }
}

function inUse(dataDir: string, pid?: number): Error {
  const holder = pid === undefined ? 'another server' : `a running server (process ${pid})`;
  return new StartError(
    `The embedded database in ${dataDir} is in use by ${holder}. Stop the other copy, set DATA_DIR to another folder, or set DATABASE_URL.`,
  );
}

async function launchOnPort(
  wanted: number | undefined,
  launch: (port: number) => Promise<Server | 'portTaken'>,
): Promise<{ server: Server; port: number }> {
  if (wanted !== undefined) {
    const server = await launch(wanted);
    if (server === 'portTaken')
      throw new StartError(`Port ${wanted}, chosen for the embedded database, is taken by another program.`);
    return { server, port: wanted };
  }
  // A port that is free when we ask may be taken when the server asks.
  for (let attempt = 1; attempt <= PORT_ATTEMPTS; attempt += 1) {
    const port = await freePort();
    const server = await launch(port);
    if (server !== 'portTaken') return { server, port };
  }
  throw new StartError(`No free port was found for the embedded database in ${PORT_ATTEMPTS} attempts.`);
}

async function freePort(): Promise<number> {
  const probe = createServer();
  await new Promise<void>((resolve, reject) => {
    probe.once('error', reject);
    probe.listen(0, '127.0.0.1', resolve);
  });
  const { port } = probe.address() as AddressInfo;
  await new Promise((resolve) => probe.close(resolve));
  return port;
}

/** Starts the server and waits until it answers; a port taken by others is an answer too, every other failure is thrown. */
async function launchReady(parts: Parts, settings: Record<string, string>): Promise<Server | 'portTaken'> {
  const { home, cluster, binaries, dataDir } = parts;
  const server = await launchServer(home, cluster, binaries, settings);
  const state = { ended: false };
  const markEnded = () => {
    state.ended = true;
  };
  server.exited.then(markEnded, markEnded);

  const since = performance.now();
  // An ended server is looked for first: on a port taken by another copy, that copy might answer in its place.
  while (!state.ended && performance.now() - since < START_MS) {
    const postmaster = await findPostmaster(cluster.folder);
    if (
      postmaster?.status === 'ready' &&
      postmaster.pid === (await server.pid) &&
      (await answers(Number(settings['port']), cluster.password))
    ) {
      return server;
    }
    await delay(POLL_MS);
  }
  await server.stop();
  const messages = await server.messages();
  if (messages.includes('lock file "postmaster.pid" already exists')) throw inUse(dataDir);
  if (messages.includes('could not create any TCP/IP sockets')) return 'portTaken';
  // Rejects with the cause when not even the shell could be started.
  await server.exited;
  throw new StartError(
    `The embedded PostgreSQL in ${cluster.folder} did not start. Its last messages:\n${lastLines(messages)}`,
  );
}

function lastLines(text: string): string {
  return text.trim().split('\n').slice(-10).join('\n');
}

async function answers(port: number, password: string): Promise<boolean> {
  try {
    await withClient(port, password, () => Promise.resolve());
    return true;
  } catch {
    return false;
  }
}

/** The database of our own is no part of what initdb makes, and a kill may have come between the two. */
async function createDatabase(port: number, password: string): Promise<void> {
  await withClient(port, password, async (client) => {
    const { rowCount } = await client.query('SELECT FROM pg_database WHERE datname = $1', [DATABASE]);
    if (rowCount === 0) await client.query(`CREATE DATABASE ${DATABASE}`);
  });
}

async function withClient(
  port: number,
  password: string,
  use: (client: pg.Client) => Promise<void>,
): Promise<void> {
  const client = new pg.Client({
    host: '127.0.0.1',
    port,
    user: SUPERUSER,
    password,
    database: 'postgres',
    connectionTimeoutMillis: 2_000,
  });
  // A server that stops while we talk to it fails the query; the event besides would end the process.
  client.on('error', () => undefined);
  try {
    await client.connect();
    await use(client);
  } finally {
    await client.end();
  }
}
