// npm start: compiles if anything has changed, reads .env, and becomes the server. No second process, so that signals
// from a terminal or a supervisor reach the server itself.
import console from 'node:console';
import { existsSync } from 'node:fs';
import process from 'node:process';
import { URL, fileURLToPath, pathToFileURL } from 'node:url';
import { canCompile, compile, entry, isCompiled } from './compile.mjs';

function prepare() {
  if (!canCompile()) {
    if (existsSync(entry)) return true;
    console.error('Nothing is built and the compiler is not installed. Run "npm ci" first.');
    return false;
  }
  // Types are for whoever changes the code, and checked by build, lint and tests; a start should be quick.
  return isCompiled() || compile({ check: false });
}

if (prepare()) {
  const envFile = fileURLToPath(new URL('../.env', import.meta.url));
  // What the environment already holds wins over the file.
  if (existsSync(envFile)) process.loadEnvFile(envFile);
  await import(pathToFileURL(entry).href);
} else {
  process.exitCode = 1;
}
