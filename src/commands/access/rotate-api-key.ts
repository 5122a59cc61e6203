import {
  API_KEY_LIMITS,
  DEFAULT_GRACE_MS,
  hashApiKey,
  SECRET_BYTES,
  writeApiKey,
} from '../../domain/access/api-key.ts';
import { updateApiKey } from '../../store/access/api-keys.ts';
import type { Caller } from '../command-deps.ts';
import { type CommandResult, failWith, validationError } from '../command-result.ts';
import { commandTransaction } from '../command-transaction.ts';
import { type AccessDeps, lockUsableKey } from './api-key-checks.ts';
import { recordKeyChange } from './api-key-record.ts';
import type { NewApiKey } from './create-api-key.ts';

export interface RotateApiKeyInput {
  id: string;
  /** How long the former text stays valid, in milliseconds; {@link DEFAULT_GRACE_MS} where it is left out. */
  graceMs?: number | null | undefined;
}

/**
 * Gives a key a new text. The former text stays valid for a grace; a text before that is valid no longer.
 *
 * @returns the key with its new text; or that there is none, that it is revoked, or that the grace is too long
 */
export async function rotateApiKey(
  deps: AccessDeps,
  by: Caller,
  { id, graceMs }: RotateApiKeyInput,
): Promise<CommandResult<NewApiKey>> {
  const forMs = graceMs ?? DEFAULT_GRACE_MS;
  const { min, max } = API_KEY_LIMITS.graceMs;
  if (forMs < min || forMs > max) {
    const message = `Is ${forMs}; allowed are ${min} to ${max} milliseconds.`;
    return failWith(validationError([{ path: ['graceMs'], message }]));
  }
  return commandTransaction<CommandResult<NewApiKey>>(
    deps,
    async (tx) => {
      const found = await lockUsableKey(tx, id);
      if (!found.ok) return found;
      const before = found.value;
      const now = deps.clock.now();
      const text = writeApiKey(before.id, deps.randomBytes(SECRET_BYTES));
      const previousUntil = new Date(now.getTime() + forMs);
      const after = { ...before, hash: hashApiKey(text), previousHash: before.hash, previousUntil };
      await updateApiKey(tx, after);
      await recordKeyChange(tx, deps, by, {
        action: 'API_KEY_ROTATED',
        key: after,
        before: { previousUntil: before.previousUntil },
        after: { previousUntil },
        now,
      });
      return { ok: true, value: { id: before.id, text } };
    },
    ({ ok }) => (ok ? ['keys'] : []),
  );
}
