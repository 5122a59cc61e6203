// Compiles if anything has changed, reads .env, and becomes the program. No second process, so that signals from a
// terminal or a supervisor reach the program itself.
import console from 'node:console';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { URL, fileURLToPath, pathToFileURL } from 'node:url';
import { canCompile, compile, dist, entry, isCompiled } from './compile.mjs';

/** @param {string} program its path in dist */
export async function runCompiled(program) {
  if (!prepare()) {
    process.exitCode = 1;
    return;
  }
  const envFile = fileURLToPath(new URL('../.env', import.meta.url));
  // What the environment already holds wins over the file.
  if (existsSync(envFile)) process.loadEnvFile(envFile);
  await import(pathToFileURL(join(dist, program)).href);
}

function prepare() {
  if (!canCompile()) {
    if (existsSync(entry)) return true;
    console.error('Nothing is built and the compiler is not installed. Run "npm ci" first.');
    return false;
  }
  // Types are for whoever changes the code, and checked by build, lint and tests; a start should be quick.
  return isCompiled() || compile({ check: false });
}
