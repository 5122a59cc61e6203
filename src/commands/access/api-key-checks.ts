import { API_KEY_LIMITS, checkKeyName } from '../../domain/access/api-key.ts';
import type { FieldIssue } from '../../domain/job/job-definition.ts';
import { decodePublicId } from '../../domain/values/public-id.ts';
import { lockApiKey, type StoredApiKey } from '../../store/access/api-keys.ts';
import type { Queryable } from '../../store/statements/sql.ts';
import type { CommandDeps } from '../command-deps.ts';
import { type CommandError, type CommandResult, failWith } from '../command-result.ts';

/** What commands on keys need. */
export type AccessDeps = Pick<CommandDeps, 'pool' | 'clock' | 'newId' | 'randomBytes' | 'wake'>;

/** What a key is created with. */
export interface ApiKeyFields {
  name: string;
  expiresAt?: Date | null | undefined;
}

/** All that is wrong with the fields of a new key. */
export function issuesOf({ name, expiresAt = null }: ApiKeyFields, now: Date): FieldIssue[] {
  const issues: FieldIssue[] = [];
  const problem = checkKeyName(name);
  if (problem !== null) issues.push({ path: ['name'], message: problem });
  if (expiresAt !== null && expiresAt <= now) {
    issues.push({ path: ['expiresAt'], message: 'Is in the past; a key must be valid when it is created.' });
  }
  return issues;
}

/** The key that a command names, locked. A revoked key stays revoked. */
export async function lockUsableKey(tx: Queryable, id: string): Promise<CommandResult<StoredApiKey>> {
  const uuid = decodePublicId('ApiKey', id);
  const key = uuid === null ? null : await lockApiKey(tx, uuid);
  if (key === null) return failWith(keyNotFound(id));
  return key.revokedAt === null ? { ok: true, value: key } : failWith(keyRevoked());
}

export function keyNameTaken(): CommandError {
  return { kind: 'ConflictError', message: 'Another key that is not revoked has this name.', path: ['name'] };
}

export function tooManyKeys(): CommandError {
  const message = `There are ${API_KEY_LIMITS.keys} keys that are not revoked, which is the most; revoke one first.`;
  return { kind: 'ConflictError', message, path: null };
}

function keyNotFound(id: string): CommandError {
  return { kind: 'NotFoundError', message: 'There is no such key.', path: ['id'], id: id.slice(0, 64) };
}

function keyRevoked(): CommandError {
  return { kind: 'ConflictError', message: 'The key is revoked.', path: ['id'] };
}
