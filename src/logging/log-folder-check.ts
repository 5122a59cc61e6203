import { accessSync, constants } from 'node:fs';
import { makeFolder, unusableFolder } from '../async/usable-folder.ts';

/** A disk that is full now has room later: the scheduler runs, and the console gets its log meanwhile. */
const PASSING = ['ENOSPC', 'EDQUOT'];

/**
 * Makes the folder of the log files where it is missing.
 *
 * @throws StartError where the setting has to be changed: nobody can write there
 */
export function checkLogFolder(dir: string): void {
  try {
    makeFolder(dir);
    accessSync(dir, constants.W_OK | constants.X_OK);
  } catch (error) {
    if (PASSING.includes((error as NodeJS.ErrnoException).code ?? '')) return;
    throw unusableFolder('LOG_DIR', dir, error) ?? error;
  }
}
