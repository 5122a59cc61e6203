// npm run demo. One process, without a shell or a loader's parent between it and npm, so that Ctrl-C and signals reach
// it and its exit code is npm's.
import process from 'node:process';
import { register } from 'tsx/esm/api';

await import('./generate.mjs');
if (!process.exitCode) {
  register();
  await import('./demo.ts');
}
