import { lchownSync, lstatSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';

/** The number of the unprivileged user as which everything is run, the image's own included. */
export const RUNNER = 1001;

const asRoot = process.getuid?.() === 0;

/** Options that spawn a process as the runner. Who is not root is unprivileged already, and stays who they are. */
export const asRunner: { uid?: number; gid?: number } = asRoot ? { uid: RUNNER, gid: RUNNER } : {};

/** Gives a file, or a folder with all that it holds, an owner; only root can, so for others nothing happens. */
export function giveTo(path: string, uid: number, gid: number): void {
  if (!asRoot) return;
  lchownSync(path, uid, gid);
  if (!lstatSync(path).isDirectory()) return;
  for (const entry of readdirSync(path, { recursive: true, withFileTypes: true })) {
    lchownSync(join(entry.parentPath, entry.name), uid, gid);
  }
}
