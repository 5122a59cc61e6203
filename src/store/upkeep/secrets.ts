import type { Queryable } from '../statements/sql.ts';

/** Secrets that all instances share. The migrations create them. */
export type SecretName = 'callbacks';

/** Reads a secret. It must never be logged or shown. */
export async function readSecret(db: Queryable, name: SecretName): Promise<string> {
  const { rows } = await db.query<{ value: string }>({
    text: 'SELECT value FROM scheduler_secrets WHERE name = $1',
    values: [name],
  });
  const [row] = rows;
  if (!row) throw new Error(`The database has no secret "${name}"; are its migrations applied?`);
  return row.value;
}
