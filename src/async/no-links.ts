import { constants, statSync } from 'node:fs';
import { readFile } from 'node:fs/promises';

/**
 * Flag to open a file by its own name only: a link in its place is the error ELOOP. In a folder of another user, such a
 * link would have a process of root read or write any file of the machine. Windows has no such flag.
 */
// eslint-disable-next-line @typescript-eslint/no-unnecessary-condition -- the types know no Windows
export const NO_LINKS = constants.O_NOFOLLOW ?? 0;

export const READ = constants.O_RDONLY;
export const READ_AND_WRITE = constants.O_RDWR;
export const APPEND = constants.O_WRONLY | constants.O_APPEND | constants.O_CREAT;

/** {@link NO_LINKS} where this process is root and the folder is another user's; else no flag. */
export function linkFlagIn(folder: string): number {
  return process.getuid?.() === 0 && statSync(folder).uid !== 0 ? NO_LINKS : 0;
}

/** The text of a file that is no link. */
export async function readOwnFile(path: string): Promise<string> {
  return readFile(path, { encoding: 'utf8', flag: READ | NO_LINKS });
}
