// Keeps a folder of generated files as new as its sources. Plain JavaScript, as it runs before anything that could
// compile it needs to be there.
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';

export const root = dirname(dirname(fileURLToPath(import.meta.url)));

/** The version of an installed package, for fingerprints. */
export function versionOf(name) {
  const manifest = join(root, 'node_modules', name, 'package.json');
  return `${name}@${JSON.parse(readFileSync(manifest, 'utf8')).version}`;
}

/**
 * Generates a folder's content where it is not there or was made from something else, and puts it in place in one step.
 *
 * @param {{ folder: string, fingerprint: string, generate: (workFolder: string) => string | Promise<string> }} options
 * `fingerprint` is of all that the content depends on: times of files would not tell, since a checkout sets them anew;
 * `generate` answers where inside the empty work folder it has put the content
 */
export async function keepGenerated({ folder, fingerprint, generate }) {
  const stamp = 'made-from';
  const isUpToDate = () =>
    existsSync(join(folder, stamp)) && readFileSync(join(folder, stamp), 'utf8') === fingerprint;
  if (isUpToDate()) return;

  // Of two that generate at once, each works in a folder of its own, and one of two equal results is put in place.
  const workFolder = join(root, `.generating-${process.pid}`);
  try {
    mkdirSync(workFolder, { recursive: true });
    const made = await generate(workFolder);
    writeFileSync(join(made, stamp), fingerprint);
    if (isUpToDate()) return;
    if (existsSync(folder)) renameSync(folder, join(workFolder, 'replaced'));
    renameSync(made, folder);
  } catch (error) {
    if (!isUpToDate()) throw error;
  } finally {
    rmSync(workFolder, { recursive: true, force: true });
  }
}
