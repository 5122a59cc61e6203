import { cpSync, existsSync, mkdirSync, statSync } from 'node:fs';
import { basename, dirname, isAbsolute, join, relative } from 'node:path';
import type { IgnoreRules } from './build-context.ts';
import { giveTo } from './runner.ts';

export interface CopySource {
  readonly folder: string;
  readonly rules: IgnoreRules;
}

/**
 * Does what COPY does: of a folder the contents are copied, a file goes into what is a folder or ends in a slash.
 *
 * @param words the sources, and last the destination, relative to the working folder
 * @param owner user and group by number, as --chown has them
 * @throws Error where a source is not there, or where this check does not know what Docker would do
 */
export function copy(words: readonly string[], source: CopySource, workdir: string, owner: string): void {
  const destination = words.at(-1) ?? '.';
  if (isAbsolute(destination)) throw new Error('Only destinations below WORKDIR are known to this check.');
  if (!/^\d+:\d+$/.test(owner))
    throw new Error(`--chown=${owner}: only two numbers are known to this check.`);
  const [uid = 0, gid = 0] = owner.split(':').map(Number);
  const target = join(workdir, destination);

  for (const word of words.slice(0, -1)) {
    const path = join(source.folder, word);
    if (!isKept(path, source) || !existsSync(path)) throw new Error(`"${word}" is not there to copy.`);
    const intoFolder = statSync(path).isFile() && (destination.endsWith('/') || existsSync(target));
    const to = intoFolder ? join(target, basename(path)) : target;
    mkdirSync(dirname(to), { recursive: true });
    cpSync(path, to, { recursive: true, verbatimSymlinks: true, filter: (entry) => isKept(entry, source) });
    giveTo(to, uid, gid);
  }
}

function isKept(entry: string, { folder, rules }: CopySource): boolean {
  const path = relative(folder, entry);
  return !rules.ignores(path) || (rules.mayKeepWithin(path) && statSync(entry).isDirectory());
}
