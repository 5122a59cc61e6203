import { accessSync, constants } from 'node:fs';
import { makeFolder, unusableFolder } from '../async/usable-folder.ts';

/** A full disk may have room later. The scheduler runs, and until then the console gets its log. */
const PASSING = ['ENOSPC', 'EDQUOT'];

/**
 * Creates the folder of the log files if it is missing.
 *
 * @throws StartError when this process can never write there, so the setting must change
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
