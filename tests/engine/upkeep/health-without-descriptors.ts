/** Uses up the descriptors of its process, asks how it is doing, and prints the answer. */
import { closeSync, openSync } from 'node:fs';
import { createPool } from '../../../src/database/pool.ts';
import { createHealthCheck } from '../../../src/engine/upkeep/health-check.ts';

const pool = createPool({ connectionString: process.argv[2] ?? '', max: 2 });
const check = createHealthCheck({
  pool,
  instanceId: 'test',
  version: 'test',
  stalledLoops: () => [],
  isStopping: () => false,
});
// Its connection is opened now.
await check();
const held: number[] = [];
try {
  for (;;) held.push(openSync('/dev/null', 'r'));
} catch {
  // There are no more.
}
const report = await check();
for (const descriptor of held) closeSync(descriptor);
process.stdout.write(JSON.stringify(report));
await pool.end();
