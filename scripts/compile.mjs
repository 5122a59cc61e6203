// Compiles src into dist. Plain JavaScript, as it runs before anything that could compile it needs to be there.
import { spawnSync } from 'node:child_process';
import console from 'node:console';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const generated = join(root, 'src', 'generated');
export const dist = join(root, 'dist');
const stampFile = join(dist, 'made-from');
const compiler = join(root, 'node_modules', 'typescript', 'bin', 'tsc');

/** The program's entry, there once it was compiled. */
export const entry = join(dist, 'main.js');

/** Whether the compiler and the sources are there at all: an image for production has neither. */
export function canCompile() {
  return existsSync(compiler) && existsSync(join(root, 'src', 'main.ts'));
}

/** Whether dist was made from the sources as they are now. */
export function isCompiled() {
  return existsSync(entry) && existsSync(stampFile) && readFileSync(stampFile, 'utf8') === fingerprint();
}

/**
 * Generates what is generated, compiles, and puts the result in place in one step, so that neither a second copy that
 * starts meanwhile nor an interruption meets half of it.
 *
 * @param {{ check: boolean }} options whether to check types, which takes most of the time
 * @returns {boolean} whether it worked; if not, the compiler has said why
 */
export function compile({ check }) {
  const madeFrom = fingerprint();
  if (!run(join(root, 'scripts', 'generate.mjs'))) return false;

  const folder = join(root, `.compiling-${process.pid}`);
  const made = join(folder, 'dist');
  try {
    mkdirSync(folder, { recursive: true });
    const options = ['-p', join(root, 'tsconfig.build.json'), '--outDir', made];
    options.push('--tsBuildInfoFile', join(folder, 'tsbuildinfo'), ...(check ? [] : ['--noCheck']));
    if (!run(compiler, ...options)) return false;

    writeFileSync(join(made, 'made-from'), madeFrom);
    // Of two that start at once, the later one leaves the first one's result alone: it may be loading already.
    if (!check && isCompiled()) return true;
    if (existsSync(dist)) renameSync(dist, join(folder, 'replaced'));
    renameSync(made, dist);
    return true;
  } catch (error) {
    // Another process may have put its result in place between the two renames; if it is the same one, it serves.
    if (isCompiled()) return true;
    console.error(`dist cannot be written: ${error.message}`);
    return false;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Everything that the result depends on. Times of files would not tell: a checkout sets them anew. */
function fingerprint() {
  const settings = [
    'package-lock.json',
    'tsconfig.json',
    'tsconfig.build.json',
    join('prisma', 'schema.prisma'),
  ];
  const sources = readdirSync(join(root, 'src'), { withFileTypes: true, recursive: true })
    .filter((file) => file.isFile() && !isWithin(generated, file.parentPath))
    .map((file) => relative(root, join(file.parentPath, file.name)))
    .sort();
  const hash = createHash('sha256');
  for (const file of [...settings, ...sources]) {
    const content = readFileSync(join(root, file));
    hash.update(`${file}\0${content.length}\0`).update(content);
  }
  return hash.digest('hex');
}

function isWithin(folder, path) {
  return !relative(folder, path).startsWith('..');
}

/** Runs a script with this same Node; its output, and Ctrl-C, go straight through. */
function run(script, ...options) {
  const { status } = spawnSync(process.execPath, [script, ...options], { cwd: root, stdio: 'inherit' });
  return status === 0;
}
