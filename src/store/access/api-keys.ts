import type { KeyValidity } from '../../domain/access/api-key.ts';
import type { Role } from '../../domain/access/role.ts';
import type { Queryable } from '../statements/sql.ts';

/**
 * Key of the advisory transaction lock that those take who create API keys: so keys are counted while nobody adds one. Taken
 * FIRST, before any row.
 */
const KEYS_LOCK = 7_265_005;

/** An API key as its row holds it. */
export interface StoredApiKey extends KeyValidity {
  id: string;
  name: string;
  role: Role;
  createdAt: Date;
  /** The actor that created it. */
  createdBy: string;
}

type ApiKeyRow = StoredApiKey & Record<string, unknown>;

const COLUMNS = `id, name, role, hash, previous_hash AS "previousHash", previous_until AS "previousUntil",
  created_at AS "createdAt", created_by AS "createdBy", expires_at AS "expiresAt", revoked_at AS "revokedAt"`;

/** Keeps everybody else from creating keys until the transaction ends. Must be its first statement. */
export async function lockApiKeys(tx: Queryable): Promise<void> {
  await tx.query({ name: 'lock-api-keys', text: 'SELECT pg_advisory_xact_lock($1)', values: [KEYS_LOCK] });
}

/** How many keys there are: all, and those that are not revoked. */
export async function countApiKeys(db: Queryable): Promise<{ all: number; unrevoked: number }> {
  const { rows } = await db.query<{ all: number; unrevoked: number }>({
    name: 'count-api-keys',
    text: 'SELECT count(*)::int AS all, count(*) FILTER (WHERE revoked_at IS NULL)::int AS unrevoked FROM api_keys',
  });
  return rows[0] ?? { all: 0, unrevoked: 0 };
}

/** Inserts a key. A taken name throws; see {@link isKeyNameTaken}. */
export async function insertApiKey(tx: Queryable, key: StoredApiKey): Promise<void> {
  await tx.query({
    name: 'insert-api-key',
    text: `INSERT INTO api_keys (id, name, role, hash, created_at, created_by, expires_at)
VALUES ($1, $2, $3, $4, $5, $6, $7)`,
    values: [key.id, key.name, key.role, key.hash, key.createdAt, key.createdBy, key.expiresAt],
  });
}

/** The key, locked until the transaction ends; null where there is none. */
export async function lockApiKey(tx: Queryable, id: string): Promise<StoredApiKey | null> {
  const { rows } = await tx.query<ApiKeyRow>({
    name: 'lock-api-key',
    text: `SELECT ${COLUMNS} FROM api_keys WHERE id = $1 FOR UPDATE`,
    values: [id],
  });
  return rows[0] ?? null;
}

/** Writes what may change of a key. */
export async function updateApiKey(tx: Queryable, key: StoredApiKey): Promise<void> {
  await tx.query({
    name: 'update-api-key',
    text: 'UPDATE api_keys SET hash = $2, previous_hash = $3, previous_until = $4, revoked_at = $5 WHERE id = $1',
    values: [key.id, key.hash, key.previousHash, key.previousUntil, key.revokedAt],
  });
}

/** All keys, newest first, each with its last use. */
export async function listApiKeys(db: Queryable): Promise<(StoredApiKey & { lastUsedAt: Date | null })[]> {
  const { rows } = await db.query<ApiKeyRow & { lastUsedAt: Date | null }>({
    name: 'list-api-keys',
    text: `SELECT ${COLUMNS}, last_used_at AS "lastUsedAt" FROM api_keys ORDER BY created_at DESC, id DESC`,
  });
  return rows;
}

/** All keys that are not revoked. */
export async function readApiKeys(db: Queryable): Promise<StoredApiKey[]> {
  const { rows } = await db.query<ApiKeyRow>({
    name: 'read-api-keys',
    text: `SELECT ${COLUMNS} FROM api_keys WHERE revoked_at IS NULL`,
  });
  return rows;
}

/** Keys by their ids, also revoked ones. */
export async function findApiKeys(db: Queryable, ids: readonly string[]): Promise<StoredApiKey[]> {
  const { rows } = await db.query<ApiKeyRow>({
    name: 'find-api-keys',
    text: `SELECT ${COLUMNS} FROM api_keys WHERE id = ANY($1)`,
    values: [ids],
  });
  return rows;
}

/** Notes when keys were last used. */
export async function noteApiKeysUsed(
  db: Queryable,
  used: readonly { id: string; at: Date }[],
): Promise<void> {
  await db.query({
    name: 'note-api-keys-used',
    text: `UPDATE api_keys SET last_used_at = used.at FROM unnest($1::uuid[], $2::timestamptz[]) AS used(id, at)
WHERE api_keys.id = used.id AND coalesce(last_used_at < used.at, true)`,
    values: [used.map(({ id }) => id), used.map(({ at }) => at)],
  });
}

/** Whether a statement failed because another key has the name. */
export function isKeyNameTaken(error: unknown): boolean {
  return error instanceof Error && 'constraint' in error && error.constraint === 'api_keys_name_key';
}
