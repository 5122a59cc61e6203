import { chmod, mkdtemp, realpath, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export type TempFolder = { path: string; remove: () => Promise<void> };

/**
 * Makes a temporary folder that another account may enter, as the embedded PostgreSQL of a root user needs it.
 *
 * @param name part of the folder's name; may hold a space
 */
export async function makeTempFolder(name: string): Promise<TempFolder> {
  const path = await mkdtemp(join(tmpdir(), `job-scheduler-${name}-`));
  await chmod(path, 0o755);
  return {
    path,
    remove: async () => {
      // Where that account cannot enter even so, the database lies elsewhere, behind a link.
      const database = await realpath(join(path, 'postgres')).catch(() => path);
      await rm(database, { recursive: true, force: true });
      await rm(path, { recursive: true, force: true });
    },
  };
}
