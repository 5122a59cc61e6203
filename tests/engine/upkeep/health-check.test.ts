import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { fileURLToPath } from 'node:url';
import { describe, expect, it, onTestFinished } from 'vitest';
import { migrate } from '../../../src/database/migrate.ts';
import { createPool } from '../../../src/database/pool.ts';
import { createHealthCheck } from '../../../src/engine/upkeep/health-check.ts';
import { start } from '../../database/embedded.ts';
import { createTestDatabase } from '../../support/database.ts';
import { startSilentProxy } from '../../support/silent-proxy.ts';
import { mountSmallDisk } from '../../support/small-disk.ts';

/** The caller gets an answer within this time. */
const ANSWER_MS = 5_000;
/** The time that the endpoint waits. */
const ENDPOINT_MS = 2_000;

async function database(): Promise<string> {
  const { connectionString, drop } = await createTestDatabase();
  onTestFinished(drop);
  return connectionString;
}

function checkOn(connectionString: string) {
  const pool = createPool({ connectionString, max: 2, statementTimeoutMs: 2_000 });
  onTestFinished(() => pool.end());
  const check = createHealthCheck({
    pool,
    instanceId: 'test',
    version: 'test',
    stalledLoops: () => [],
    isStopping: () => false,
  });
  return { pool, check };
}

describe('an instance is not ready, and reports why,', () => {
  it('with a read-only database', async () => {
    const connectionString = await database();
    const { pool } = checkOn(connectionString);
    const name = new URL(connectionString).pathname.slice(1);
    await pool.query(`ALTER DATABASE ${name} SET default_transaction_read_only = on`);
    const report = await checkOn(connectionString).check();
    expect(report.status).toBe('DOWN');
    expect(report.database.message).toContain('The database is read-only');
  });

  it.each(['jobs', 'job_executions', 'event_log'])('while %s is locked', async (table) => {
    const { pool, check } = checkOn(await database());
    expect((await check()).status).toBe('UP');
    const holder = await pool.connect();
    await holder.query(`BEGIN; LOCK TABLE ${table} IN SHARE MODE`);
    const since = performance.now();
    const report = await check();
    expect(report.database.message).toBe('Another session has locked tables that the scheduler writes.');
    expect(performance.now() - since).toBeLessThan(ENDPOINT_MS);
    await holder.query('COMMIT');
    holder.release();
    expect((await check()).status).toBe('UP');
  });

  it('with a database that does not answer', async () => {
    const proxy = await startSilentProxy(await database());
    onTestFinished(proxy.close);
    const { check } = checkOn(proxy.connectionString);
    expect((await check()).status).toBe('UP');
    proxy.silenceAll();
    const since = performance.now();
    expect((await check()).database.message).toBe('The database does not answer.');
    expect(performance.now() - since).toBeLessThan(ENDPOINT_MS);
  });

  it('with a full disk', async ({ skip }) => {
    const disk = await mountSmallDisk(120);
    if (disk === null) return skip('this user may mount no disk');
    const { connectionString } = await start(disk);
    await migrate({ connectionString });
    const { check } = checkOn(connectionString);
    expect((await check()).status).toBe('UP');
    await writeFile(join(disk, 'filler'), Buffer.alloc(120_000_000)).catch(() => undefined);
    const since = performance.now();
    expect((await check()).database.message).toBe('The disk of the database is full.');
    expect(performance.now() - since).toBeLessThan(ANSWER_MS);
  });

  it('when the process has no free file descriptor', async () => {
    const script = fileURLToPath(new URL('health-without-descriptors.ts', import.meta.url));
    const { stdout } = await promisify(execFile)('sh', [
      '-c',
      'ulimit -n 256; exec "$@"',
      'sh',
      process.execPath,
      '--import',
      'tsx',
      script,
      await database(),
    ]);
    expect(JSON.parse(stdout)).toMatchObject({
      status: 'DOWN',
      database: { status: 'UP' },
      scheduler: { message: expect.stringContaining('No file descriptor is free') as string },
    });
  });
});
