import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { StartError } from '../../async/start-error.ts';

const run = promisify(execFile);

/** The operating system's account that the server runs under when this process is root. */
export type Account = { uid: number; gid: number };

/** PostgreSQL's own account where a package made one, else the one that every system has. */
const CANDIDATES = ['postgres', 'nobody'];

/** True when this process must hand the server to another account: PostgreSQL refuses to run as root. */
export function runsAsRoot(): boolean {
  return process.getuid?.() === 0;
}

/**
 * Finds an unprivileged account for the server. It has to be one of the system's own accounts and not just any
 * free number, because initdb looks its name up.
 *
 * @throws Error when the system has none of the candidates
 */
export async function unprivilegedAccount(): Promise<Account> {
  for (const name of CANDIDATES) {
    const uid = await idOf(name, '-u');
    const gid = await idOf(name, '-g');
    if (uid !== undefined && gid !== undefined && uid !== 0) return { uid, gid };
  }
  throw new StartError(
    `PostgreSQL refuses to run as root, and this system has no account named ${CANDIDATES.join(' or ')} to run it under. ` +
      'Start as an ordinary user, or set DATABASE_URL to a PostgreSQL server.',
  );
}

async function idOf(name: string, flag: '-u' | '-g'): Promise<number | undefined> {
  try {
    const { stdout } = await run('id', [flag, name]);
    return Number.parseInt(stdout, 10);
  } catch {
    return undefined;
  }
}

/**
 * Options for a child process that runs as the account (as ourselves where there is none).
 *
 * The environment is reduced to what programs need: a PGDATA, PGOPTIONS or LD_LIBRARY_PATH that the user has set
 * for other servers must not reach ours. The working directory is one that everybody may enter, as our own may
 * not be open to the account.
 */
export function childOptions(account: Account | undefined): {
  uid?: number;
  gid?: number;
  cwd: string;
  env: NodeJS.ProcessEnv;
} {
  const env = { PATH: process.env['PATH'] ?? '/usr/local/bin:/usr/bin:/bin', LC_ALL: 'C', TZ: 'UTC' };
  return { ...account, cwd: '/', env };
}

/**
 * Asks the system itself whether the account may enter a folder: mode bits alone do not tell, as any folder above
 * it, an access list or a mount option can forbid it.
 */
export async function canEnter(account: Account | undefined, folder: string): Promise<boolean> {
  try {
    await run('/bin/sh', ['-c', 'cd -- "$1"', 'sh', folder], childOptions(account));
    return true;
  } catch {
    return false;
  }
}
