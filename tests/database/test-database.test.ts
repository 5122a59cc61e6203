import pg from 'pg';
import { expect, it } from 'vitest';
import { createTestDatabase } from '../support/database.ts';

it('gives each caller its own migrated database, also when many ask at once', async () => {
  const databases = await Promise.all(Array.from({ length: 4 }, () => createTestDatabase()));
  expect(new Set(databases.map(({ connectionString }) => connectionString)).size).toBe(4);
  for (const { connectionString, drop } of databases) {
    const client = new pg.Client({ connectionString });
    await client.connect();
    const { rows } = await client.query<{ count: number }>('SELECT count(*)::int AS count FROM jobs');
    expect(rows).toEqual([{ count: 0 }]);
    await client.end();
    await drop();
  }
});
