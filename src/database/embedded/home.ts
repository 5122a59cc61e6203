import { randomBytes } from 'node:crypto';
import {
  chmod,
  lchown,
  lstat,
  mkdir,
  readdir,
  realpath,
  rm,
  rmdir,
  stat,
  symlink,
  writeFile,
} from 'node:fs/promises';
import { basename, join } from 'node:path';
import { StartError } from '../../async/start-error.ts';
import { makeFolder } from '../../async/usable-folder.ts';
import { canEnter, runsAsRoot, unprivilegedAccount, type Account } from './account.ts';
import { hasCode } from './errors.ts';
import type { DatabaseLog } from '../log.ts';

/** Where root keeps what another account must reach: databases of checkouts it cannot enter, copies of programs. */
const SHARED_FOLDER = '/var/lib/job-scheduler';

/** The folder that holds everything of one embedded server, and the account that it runs under. */
export type Home = { folder: string; account: Account | undefined; copiesFolder: string };

/**
 * Provides `<dataDir>/postgres`. For an ordinary user that is a plain folder. As root it belongs to the account that
 * the server runs under; where that account cannot enter it (a checkout in root's home, say) the folder lies under
 * /var/lib/job-scheduler and `<dataDir>/postgres` is a symbolic link to it.
 *
 * @throws Error that names the folder, when it belongs to another user or its link leads nowhere
 */
export async function provideHome(dataDir: string, log: DatabaseLog): Promise<Home> {
  makeFolder(dataDir);
  const entry = join(await realpath(dataDir), 'postgres');
  if (!runsAsRoot())
    return { folder: await ownFolder(entry), account: undefined, copiesFolder: join(entry, 'programs') };

  const copiesFolder = join(SHARED_FOLDER, 'programs');
  const existing = await followEntry(entry);
  if (existing !== undefined) {
    const account = await ownerOf(existing, entry);
    if (await canEnter(account, existing)) return { folder: existing, account, copiesFolder };
    // An empty one was left by a start that was killed before it could set the link.
    if ((await readdir(existing)).length > 0) {
      throw new StartError(
        `The embedded database lies in ${existing}, which user ${account.uid} cannot enter; PostgreSQL refuses to run as root. ` +
          'Open the folders above it, set DATA_DIR to another folder, or set DATABASE_URL.',
      );
    }
  }
  const account = await unprivilegedAccount();
  return { folder: await newFolder(entry, account, log), account, copiesFolder };
}

async function ownFolder(entry: string): Promise<string> {
  await mkdir(entry, { mode: 0o700 }).catch((error: unknown) => {
    if (!hasCode(error, 'EEXIST')) throw error;
  });
  const folder = await realpath(entry);
  const { uid } = await stat(folder);
  if (uid === process.getuid?.()) return folder;
  throw new StartError(
    `The embedded database in ${entry} belongs to another user (uid ${uid}), who started it first. ` +
      'Start as that user (as root, if it was root), set DATA_DIR to another folder, or set DATABASE_URL.',
  );
}

/** The existing folder behind the entry, or undefined where there is none yet. */
async function followEntry(entry: string): Promise<string | undefined> {
  try {
    const isLink = (await lstat(entry)).isSymbolicLink();
    const folder = await realpath(entry).catch(() => undefined);
    if (folder !== undefined) return folder;
    if (!isLink) return undefined;
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return undefined;
    throw error;
  }
  // Starting anew would look like a loss of all data, when perhaps only a volume is not mounted.
  throw new StartError(
    `${entry} is a link to a folder that does not exist. Restore that folder, or remove the link to start with an empty database.`,
  );
}

/** A cluster that an ordinary user has made stays that user's, also when root starts it. */
async function ownerOf(folder: string, entry: string): Promise<Account> {
  const { uid, gid } = await stat(folder);
  if (uid !== 0) return { uid, gid };
  const account = await unprivilegedAccount();
  // A start that was killed may have left our own folder to root. What a link leads to may be anybody's.
  if (folder !== entry) {
    throw new StartError(
      `${entry} is a link to ${folder}, which belongs to root, and PostgreSQL refuses to run as root. ` +
        `Give that folder to another user (chown -R ${account.uid}:${account.gid}), set DATA_DIR to another folder, or set DATABASE_URL.`,
    );
  }
  await lchown(folder, account.uid, account.gid);
  return account;
}

async function newFolder(entry: string, account: Account, log: DatabaseLog): Promise<string> {
  await mkdir(entry, { mode: 0o700 }).catch((error: unknown) => {
    if (!hasCode(error, 'EEXIST')) throw error;
  });
  await lchown(entry, account.uid, account.gid);
  if (await canEnter(account, entry)) return realpath(entry);

  // A name with a random part, not one derived from the path: a user who deletes the data folder expects to start empty.
  const place = join(SHARED_FOLDER, `${basename(join(entry, '..'))}-${randomBytes(6).toString('hex')}`);
  await mkdir(place, { recursive: true, mode: 0o700 });
  await chmod(SHARED_FOLDER, 0o755);
  await writeFile(
    join(place, 'README'),
    `The database of the job scheduler whose data folder is ${join(entry, '..')}.\n` +
      'It is used through the link named postgres in that folder; once that link is gone, this folder may be deleted.\n',
  );
  await lchown(place, account.uid, account.gid);
  try {
    await rmdir(entry);
    await symlink(place, entry);
  } catch (error) {
    await rm(place, { recursive: true });
    // Another process was first: its link stands where our folder was.
    if (hasCode(error, 'EEXIST', 'ENOTDIR', 'ENOENT')) return realpath(entry);
    throw error;
  }
  log(
    'the server runs as an ordinary user who cannot enter the data folder; its database is kept elsewhere',
    { link: entry, folder: place },
  );
  return place;
}
