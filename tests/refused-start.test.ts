import { execFile } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { createTestDatabase } from './support/database.ts';
import { emptyDatabase } from './database/migrations.ts';
import { startServerProcess } from './support/server-process.ts';
import { makeTempFolder } from './support/temp-folder.ts';
import { query } from './database/embedded.ts';

const run = promisify(execFile);

// The first start of a checkout compiles.
vi.setConfig({ testTimeout: 120_000 });

/** What a server writes that refuses to start. */
async function refusal(env: Record<string, string>): Promise<string> {
  const server = await startServerProcess(env).catch((error: unknown) => error as Error);
  if (server instanceof Error) return server.message;
  await server.kill();
  throw new Error('It has started.');
}

/** A refusal tells the operator what to do, and shows neither a stack nor a code of the system. */
function expectWords(output: string, ...words: string[]): void {
  expect(output).toContain('{"code":1,"signal":null}');
  for (const word of words) expect(output).toContain(word);
  expect(output).not.toMatch(/\bE[A-Z]{4,}\b|\n? +at .*:\d+:\d+|"stack"/);
}

async function folder(): Promise<string> {
  const made = await makeTempFolder('refused start');
  onTestFinished(made.remove);
  return made.path;
}

/** A folder on a disk that nobody can write; null where this user may mount none. */
async function readOnlyFolder(): Promise<string | null> {
  const path = await folder();
  await run('mount', ['-t', 'tmpfs', 'tmpfs', path]).catch(() => undefined);
  try {
    await mkdir(join(path, 'inside'));
    await run('mount', ['-o', 'remount,ro', path]);
  } catch {
    return null;
  }
  onTestFinished(async () => {
    await run('umount', ['--lazy', path]);
  });
  return path;
}

describe.each([
  { setting: 'DATA_DIR', env: { DATABASE_URL: '' } },
  { setting: 'LOG_DIR', env: { DATABASE_URL: 'postgresql://127.0.0.1:1/none' } },
])('$setting', ({ setting, env }) => {
  const refusalOf = (path: string) => refusal({ ...env, [setting]: path });

  it('that is a file is refused', async () => {
    const path = join(await folder(), 'file');
    await writeFile(path, '');
    expectWords(await refusalOf(path), setting, path, ' is a file', `Set ${setting} to`);
  });

  it('that lies below a file is refused', async () => {
    const file = join(await folder(), 'file');
    await writeFile(file, '');
    const path = join(file, 'below');
    expectWords(await refusalOf(path), setting, path, 'it lies below a file', `Set ${setting} to`);
  });

  it('that cannot be made is refused', async () => {
    expectWords(await refusalOf('/proc/none'), `${setting} is /proc/none`, `Set ${setting} to`);
  });

  it('that is read-only, or below a read-only folder, is refused', async (context) => {
    const path = await readOnlyFolder();
    if (path === null) {
      context.skip('this user may mount nothing');
      return;
    }
    for (const refused of [path, join(path, 'inside'), join(path, 'new')]) {
      expectWords(await refusalOf(refused), `${setting} is ${refused}`, 'read-only', `Set ${setting} to`);
    }
  });
});

describe('a database that is read-only', () => {
  it.each([
    { name: 'and has the schema', make: async () => (await migratedDatabase()).connectionString },
    { name: 'and is empty', make: emptyDatabase },
  ])('$name is refused', async ({ make }) => {
    const connectionString = await make();
    const database = new URL(connectionString).pathname.slice(1);
    await query(connectionString, `ALTER DATABASE ${database} SET default_transaction_read_only = on`);
    const output = await refusal({ DATABASE_URL: connectionString });
    expectWords(output, new URL(connectionString).host, 'is read-only', 'DATABASE_URL');
    expect(output).not.toContain(new URL(connectionString).password);
  });

  it('behind the pooler alone is refused, too', async () => {
    const { connectionString } = await migratedDatabase();
    const pooled = `${connectionString}?options=-c%20default_transaction_read_only%3Don`;
    const output = await refusal({ DATABASE_URL: pooled, DATABASE_DIRECT_URL: connectionString });
    expectWords(output, new URL(connectionString).host, 'is read-only', 'DATABASE_URL');
  });
});

async function migratedDatabase() {
  const database = await createTestDatabase();
  onTestFinished(database.drop);
  return database;
}
