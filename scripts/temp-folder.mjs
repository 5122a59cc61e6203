// Imported before all else: where the usual folder for temporary files cannot be written, as on machines that open /tmp to
// root alone, this process and its children use /var/tmp. The loader, the demo and the tests all need one.
import console from 'node:console';
import { accessSync, constants } from 'node:fs';
import { tmpdir } from 'node:os';
import process from 'node:process';

function isWritable(folder) {
  try {
    accessSync(folder, constants.W_OK | constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

const usual = tmpdir();
const found = [usual, '/var/tmp'].find(isWritable);
if (found === undefined) {
  console.error(`Neither ${usual} nor /var/tmp can be written. Set TMPDIR to a folder that can be.`);
  process.exit(1);
}
if (found !== usual) process.env.TMPDIR = found;
