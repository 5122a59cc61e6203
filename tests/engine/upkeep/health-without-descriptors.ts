/** Uses up the file descriptors of its process, runs the health check, and prints the result. */
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
// The check opens its connection now.
await check();
const held: number[] = [];
try {
  for (;;) held.push(openSync('/dev/null', 'r'));
} catch {
  // No descriptors are left.
}
const report = await check();
for (const descriptor of held) closeSync(descriptor);
process.stdout.write(JSON.stringify(report));
await pool.end();
