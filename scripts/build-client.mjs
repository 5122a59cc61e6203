// npm run client:build: compiles the client package into client/dist, and puts beside it what its users need of this
// project: the schema, the list of persisted operations and the licence.
import { execFileSync } from 'node:child_process';
import { copyFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { root } from './generated-folder.mjs';

const client = join(root, 'client');
const dist = join(client, 'dist');
const run = (...args) => execFileSync(process.execPath, args, { cwd: root, stdio: 'inherit' });

run(join(root, 'scripts', 'generate-client.mjs'));
rmSync(dist, { recursive: true, force: true });
run(join(root, 'node_modules', 'typescript', 'bin', 'tsc'), '-p', join(client, 'tsconfig.build.json'));
copyFileSync(join(root, 'schema.graphql'), join(dist, 'schema.graphql'));
copyFileSync(
  join(client, 'src', 'generated', 'persisted-documents.json'),
  join(dist, 'persisted-documents.json'),
);
copyFileSync(join(root, 'LICENSE'), join(client, 'LICENSE'));
