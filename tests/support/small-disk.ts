import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { onTestFinished } from 'vitest';
import { makeTempFolder } from './temp-folder.ts';

const run = promisify(execFile);

/** A folder on a disk of its own that goes with the test; null where this user may mount none. */
export async function mountSmallDisk(megabytes: number): Promise<string | null> {
  const folder = await makeTempFolder('disk');
  onTestFinished(folder.remove);
  try {
    await run('mount', ['-t', 'tmpfs', '-o', `size=${megabytes}m`, 'tmpfs', folder.path]);
  } catch {
    return null;
  }
  onTestFinished(async () => {
    await run('umount', ['--lazy', folder.path]);
  });
  return folder.path;
}
