// npm run demo. One process, without a shell or a loader's parent between it and npm, so that Ctrl-C and signals reach
// it and its exit code is npm's.
import console from 'node:console';
import process from 'node:process';

async function importLoader() {
  try {
    return await import('tsx/esm/api');
  } catch (error) {
    if (error.code !== 'ERR_MODULE_NOT_FOUND') throw error;
    console.error('The packages of the demo are not installed. Run "npm ci" first.');
    process.exitCode = 1;
    return undefined;
  }
}

const loader = await importLoader();
if (loader) await import('./generate.mjs');
if (loader && !process.exitCode) {
  await import('./temp-folder.mjs');
  loader.register();
  await import('./demo.ts');
}
