import { updateApiKey } from '../../store/access/api-keys.ts';
import type { Caller } from '../command-deps.ts';
import type { CommandResult } from '../command-result.ts';
import { commandTransaction } from '../command-transaction.ts';
import { type AccessDeps, lockUsableKey } from './api-key-checks.ts';
import { recordKeyChange } from './api-key-record.ts';

/**
 * Revokes a key, for good. All instances hear of it at once, and end what the key has open.
 *
 * @returns the id (a UUID) of the key; or that there is none, or that it is revoked already
 */
export async function revokeApiKey(
  deps: AccessDeps,
  by: Caller,
  { id }: { id: string },
): Promise<CommandResult<{ id: string }>> {
  return commandTransaction<CommandResult<{ id: string }>>(
    deps,
    async (tx) => {
      const found = await lockUsableKey(tx, id);
      if (!found.ok) return found;
      const now = deps.clock.now();
      const after = { ...found.value, revokedAt: now };
      await updateApiKey(tx, after);
      await recordKeyChange(tx, deps, by, {
        action: 'API_KEY_REVOKED',
        key: after,
        before: { revokedAt: null },
        after: { revokedAt: now },
        now,
      });
      return { ok: true, value: { id: after.id } };
    },
    ({ ok }) => (ok ? ['keys'] : []),
  );
}
