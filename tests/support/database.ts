import { randomBytes } from 'node:crypto';
import pg from 'pg';
import { inject } from 'vitest';

export type TestDatabase = {
  connectionString: string;
  /** Removes it, with whatever connections are still open to it. */
  drop: () => Promise<void>;
};

/**
 * Makes a migrated, empty database of the caller's own: one per test file in `beforeAll`, with `drop` in `afterAll`,
 * unless a test needs one for itself.
 */
export async function createTestDatabase(): Promise<TestDatabase> {
  return createDatabase(` TEMPLATE ${inject('templateDatabase')}`);
}

/** The same without a schema. */
export async function createEmptyDatabase(): Promise<TestDatabase> {
  return createDatabase('');
}

async function createDatabase(clause: string): Promise<TestDatabase> {
  const name = `test_${randomBytes(8).toString('hex')}`;
  await asAdmin(`CREATE DATABASE ${name}${clause}`);
  const url = new URL(inject('adminConnectionString'));
  url.pathname = `/${name}`;
  return { connectionString: url.href, drop: () => asAdmin(`DROP DATABASE IF EXISTS ${name} WITH (FORCE)`) };
}

async function asAdmin(statement: string): Promise<void> {
  const client = new pg.Client({ connectionString: inject('adminConnectionString') });
  await client.connect();
  try {
    await client.query(statement);
  } finally {
    await client.end();
  }
}
