import { existsSync, mkdirSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { StartError } from './start-error.ts';

/**
 * Creates a folder and its missing parents. Node's own `recursive` reports ENOENT for a read-only disk. It never
 * returns when the system refuses a folder with ENOENT, as below /proc.
 */
export function makeFolder(path: string): void {
  try {
    mkdirSync(path);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EEXIST' && statSync(path).isDirectory()) return;
    if (code !== 'ENOENT' || existsSync(dirname(path))) throw error;
    makeFolder(dirname(path));
    makeFolder(path);
  }
}

const REASONS: Readonly<Record<string, string>> = {
  EEXIST: 'is a file',
  ENOTDIR: 'lies below a file',
  EROFS: 'lies on a read-only file system',
  EACCES: 'may not be used by this user',
  EPERM: 'may not be used by this user',
  ENOENT: 'cannot be made',
  ELOOP: 'has a link in its path that may not be followed',
  ENAMETOOLONG: 'has too long a path',
  ENOSPC: 'lies on a full disk',
  EDQUOT: 'lies on a disk whose quota is used up',
};

/**
 * The error for a folder of a setting, when an error of the file system shows that the folder cannot be used.
 *
 * @param remedy another thing to do than to name another folder
 */
export function unusableFolder(
  setting: string,
  path: string,
  cause: unknown,
  remedy = '',
): StartError | undefined {
  const { code = '', path: at = path, syscall = '' } = cause as NodeJS.ErrnoException;
  const reason = REASONS[code];
  // A program that cannot run says nothing about the folder.
  if (reason === undefined || syscall.startsWith('spawn')) return undefined;
  return new StartError(
    `${setting} is ${path}, which cannot be used: ${at === path ? 'it' : at} ${reason}. ` +
      `Set ${setting} to a folder that this user can write${remedy}.`,
    { cause },
  );
}
