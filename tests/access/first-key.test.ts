import { randomBytes } from 'node:crypto';
import { lstat, mkdir, readdir, readFile, stat, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Pool } from 'pg';
import { afterAll, beforeAll, beforeEach, expect, it, onTestFinished } from 'vitest';
import { FIRST_KEY_FILE, type FirstKey, provideFirstKey } from '../../src/access/first-key.ts';
import { createPool } from '../../src/database/pool.ts';
import { hashApiKey, readApiKey, SECRET_BYTES, writeApiKey } from '../../src/domain/access/api-key.ts';
import { newUuidV7 } from '../../src/domain/values/uuid-v7.ts';
import { readApiKeys } from '../../src/store/access/api-keys.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { manualClock } from '../support/manual-clock.ts';
import { makeTempFolder } from '../support/temp-folder.ts';

let database: TestDatabase;
let pool: Pool;
beforeAll(async () => {
  database = await createTestDatabase();
  pool = createPool({ connectionString: database.connectionString });
});
afterAll(async () => {
  await pool.end();
  await database.drop();
});
beforeEach(() => pool.query('TRUNCATE api_keys, job_audit_log'));

async function tempFolder(): Promise<string> {
  const folder = await makeTempFolder('first-key');
  onTestFinished(folder.remove);
  return folder.path;
}

const provide = (dataDir: string, text?: string): Promise<FirstKey> =>
  provideFirstKey({
    deps: { pool, clock: manualClock(), newId: newUuidV7, randomBytes, wake: () => undefined },
    dataDir,
    bootstrapKey: text === undefined ? undefined : (readApiKey(text) ?? undefined),
  });

it('is written to a file that only its owner can read, in a folder that is made', async () => {
  const dataDir = join(await tempFolder(), 'not', 'yet');
  const file = join(dataDir, FIRST_KEY_FILE);
  expect(await provide(dataDir)).toEqual({ kind: 'written', file });
  expect((await stat(file)).mode & 0o777).toBe(0o600);
  const text = (await readFile(file, 'utf8')).trim();
  const [key, ...others] = await readApiKeys(pool);
  expect(others).toEqual([]);
  expect(key).toMatchObject({ role: 'ADMIN', createdBy: 'scheduler', hash: hashApiKey(text) });
  expect(await readdir(dataDir)).toEqual([FIRST_KEY_FILE]);
});

it('is made once, also by servers that start together', async () => {
  const folders = [await tempFolder(), await tempFolder(), await tempFolder()];
  const provided = await Promise.all(folders.map((folder) => provide(folder)));
  expect(provided.map(({ kind }) => kind).sort()).toEqual(['exists', 'exists', 'written']);
  const files = await Promise.all(folders.map((folder) => readdir(folder)));
  expect(files.flat()).toEqual([FIRST_KEY_FILE]);
});

it('is the key that the operator gives, and then no file is written', async () => {
  const dataDir = await tempFolder();
  const text = writeApiKey(newUuidV7(new Date()), randomBytes(SECRET_BYTES));
  expect(await provide(dataDir, text)).toEqual({ kind: 'given' });
  expect(await readApiKeys(pool)).toMatchObject([{ id: readApiKey(text)?.id, hash: hashApiKey(text) }]);
  expect(await readdir(dataDir)).toEqual([]);
  // At the next start, and with another key.
  expect(await provide(dataDir, text)).toEqual({ kind: 'exists' });
  const other = writeApiKey(newUuidV7(new Date()), randomBytes(SECRET_BYTES));
  expect(await provide(dataDir, other)).toEqual({ kind: 'exists' });
  expect(await readApiKeys(pool)).toHaveLength(1);
});

it('is not written through a link, which is replaced', async () => {
  const dataDir = await tempFolder();
  const elsewhere = join(await tempFolder(), 'elsewhere');
  await writeFile(elsewhere, 'as it was');
  const file = join(dataDir, FIRST_KEY_FILE);
  await symlink(elsewhere, file);
  expect(await provide(dataDir)).toMatchObject({ kind: 'written' });
  expect(await readFile(elsewhere, 'utf8')).toBe('as it was');
  expect((await lstat(file)).isSymbolicLink()).toBe(false);
});

it('is not made where its file cannot be written, and the message says what to do', async () => {
  const dataDir = join(await tempFolder(), 'file');
  await writeFile(dataDir, '');
  await expect(provide(dataDir)).rejects.toThrow(
    /^DATA_DIR is .*it is a file\. Set DATA_DIR to a folder that this user can write, or set BOOTSTRAP_ADMIN_KEY\.$/,
  );
  expect(await readApiKeys(pool)).toEqual([]);
});

it('leaves nothing behind where its file cannot be put in place', async () => {
  const dataDir = await tempFolder();
  await mkdir(join(dataDir, FIRST_KEY_FILE, 'in the way'), { recursive: true });
  await expect(provide(dataDir)).rejects.toThrow();
  expect(await readdir(dataDir)).toEqual([FIRST_KEY_FILE]);
  expect(await readApiKeys(pool)).toEqual([]);
});
