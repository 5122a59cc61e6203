import { insertTag, isTagNameTaken, type StoredTag } from '../../store/tags/tags.ts';
import type { Caller, CommandDeps } from '../command-deps.ts';
import { type CommandResult, failWith } from '../command-result.ts';
import { commandTransaction } from '../command-transaction.ts';
import { type TagFields, tagNameTaken, withTagFields } from './tag-checks.ts';
import { recordTagChange } from './tag-record.ts';

export type CreateTagInput = TagFields & { name: string };

/**
 * Creates a tag that no job has yet.
 *
 * @returns the tag; or what is wrong with the input, or that there is one of this name already
 */
export async function createTag(
  deps: CommandDeps,
  by: Caller,
  input: CreateTagInput,
): Promise<CommandResult<StoredTag>> {
  const now = deps.clock.now();
  const checked = withTagFields({ id: deps.newId(now), name: '', color: null }, input);
  if (!checked.ok) return checked;
  const tag = checked.value;
  try {
    return await commandTransaction(deps, async (tx) => {
      await insertTag(tx, tag, now);
      await recordTagChange(tx, deps, by, { action: 'TAG_CREATED', before: null, after: tag, now });
      return { ok: true, value: tag };
    });
  } catch (error) {
    if (isTagNameTaken(error)) return failWith(tagNameTaken());
    throw error;
  }
}
