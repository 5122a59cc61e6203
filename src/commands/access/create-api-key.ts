import { API_KEY_LIMITS, hashApiKey, SECRET_BYTES, writeApiKey } from '../../domain/access/api-key.ts';
import type { Role } from '../../domain/access/role.ts';
import {
  countApiKeys,
  insertApiKey,
  isKeyNameTaken,
  lockApiKeys,
  type StoredApiKey,
} from '../../store/access/api-keys.ts';
import type { Queryable } from '../../store/statements/sql.ts';
import type { Caller } from '../command-deps.ts';
import { type CommandResult, failWith, validationError } from '../command-result.ts';
import { commandTransaction } from '../command-transaction.ts';
import { type AccessDeps, type ApiKeyFields, issuesOf, keyNameTaken, tooManyKeys } from './api-key-checks.ts';
import { recordKeyChange } from './api-key-record.ts';

export type CreateApiKeyInput = ApiKeyFields & { role: Role };

/** A key with its text. The text is shown once: nothing that is stored leads back to it. */
export interface NewApiKey {
  /** A UUID. */
  id: string;
  text: string;
}

/**
 * Creates an API key.
 *
 * @returns the key with its text; or what is wrong with the input, or that the name is taken, or that there are too many keys
 */
export async function createApiKey(
  deps: AccessDeps,
  by: Caller,
  input: CreateApiKeyInput,
): Promise<CommandResult<NewApiKey>> {
  const now = deps.clock.now();
  const issues = issuesOf(input, now);
  if (issues.length > 0) return failWith(validationError(issues));
  const id = deps.newId(now);
  const text = writeApiKey(id, deps.randomBytes(SECRET_BYTES));
  try {
    return await commandTransaction<CommandResult<NewApiKey>>(
      deps,
      async (tx) => {
        await lockApiKeys(tx);
        if ((await countApiKeys(tx)).unrevoked >= API_KEY_LIMITS.keys) return failWith(tooManyKeys());
        await insertKey(tx, deps, by, { ...input, id, text, now });
        return { ok: true, value: { id, text } };
      },
      ({ ok }) => (ok ? ['keys'] : []),
    );
  } catch (error) {
    if (isKeyNameTaken(error)) return failWith(keyNameTaken());
    throw error;
  }
}

/** The name of the key that a server without keys starts with. */
export const FIRST_KEY_NAME = 'first admin key';

/**
 * Creates an ADMIN key where no key was ever created, so that of several instances that start together one does it.
 *
 * @param given the key where the operator has chosen it
 * @param prepare called with the key before it is stored: where it throws, there is none
 * @returns whether it was created
 */
export async function createFirstApiKey(
  deps: AccessDeps,
  by: Caller,
  given: NewApiKey | null,
  prepare: (key: NewApiKey) => Promise<void>,
): Promise<boolean> {
  const now = deps.clock.now();
  const id = given?.id ?? deps.newId(now);
  const text = given?.text ?? writeApiKey(id, deps.randomBytes(SECRET_BYTES));
  return commandTransaction(
    deps,
    async (tx) => {
      await lockApiKeys(tx);
      if ((await countApiKeys(tx)).all > 0) return false;
      await prepare({ id, text });
      await insertKey(tx, deps, by, { id, text, now, name: FIRST_KEY_NAME, role: 'ADMIN' });
      return true;
    },
    (isCreated) => (isCreated ? ['keys'] : []),
  );
}

async function insertKey(
  tx: Queryable,
  deps: AccessDeps,
  by: Caller,
  { id, text, now, name, role, expiresAt = null }: CreateApiKeyInput & NewApiKey & { now: Date },
): Promise<void> {
  const key: StoredApiKey = {
    id,
    name,
    role,
    hash: hashApiKey(text),
    previousHash: null,
    previousUntil: null,
    createdAt: now,
    createdBy: by.actor,
    expiresAt,
    revokedAt: null,
  };
  await insertApiKey(tx, key);
  await recordKeyChange(tx, deps, by, {
    action: 'API_KEY_CREATED',
    key,
    before: null,
    after: { role, expiresAt },
    now,
  });
}
