import type { Pool } from 'pg';

/** The tables of a database, as SQL spells their names. */
export async function tablesOf(pool: Pool): Promise<string[]> {
  const { rows } = await pool.query<{ name: string }>(
    `SELECT quote_ident(tablename) AS name FROM pg_tables WHERE schemaname = current_schema() ORDER BY 1`,
  );
  return rows.map(({ name }) => name);
}

/** One digest of all rows for each table, to compare before and after. */
export async function digestsOf(pool: Pool, tables: readonly string[]): Promise<Record<string, string>> {
  const digests = tables.map(
    (table) =>
      `SELECT '${table}' AS name, md5(coalesce(string_agg(t::text, ' ' ORDER BY t::text), '')) AS digest FROM ${table} AS t`,
  );
  const { rows } = await pool.query<{ name: string; digest: string }>(
    `${digests.join(' UNION ALL ')} ORDER BY name`,
  );
  return Object.fromEntries(rows.map(({ name, digest }) => [name, digest]));
}
