import { isDeepStrictEqual } from 'node:util';
import { decodePublicId } from '../../domain/values/public-id.ts';
import {
  findTag,
  isTagNameTaken,
  lockTagNames,
  type StoredTag,
  updateTag as writeTag,
} from '../../store/tags/tags.ts';
import type { Caller, CommandDeps } from '../command-deps.ts';
import { type CommandResult, failWith } from '../command-result.ts';
import { commandTransaction } from '../command-transaction.ts';
import { type TagFields, tagNameTaken, tagNotFound, withTagFields } from './tag-checks.ts';
import { recordTagChange } from './tag-record.ts';

export type UpdateTagInput = TagFields & { id: string };

/**
 * Changes a tag's name or color, for all jobs that have it at once; the jobs themselves and their versions stay as they
 * are. A change that changes nothing writes nothing.
 *
 * @returns the tag as it is now; or that another one has the name
 */
export async function updateTag(
  deps: CommandDeps,
  by: Caller,
  { id, ...fields }: UpdateTagInput,
): Promise<CommandResult<StoredTag>> {
  const uuid = decodePublicId('Tag', id);
  try {
    return await commandTransaction<CommandResult<StoredTag>>(deps, async (tx) => {
      await lockTagNames(tx);
      const before = uuid === null ? null : await findTag(tx, uuid);
      if (before === null) return failWith(tagNotFound(id));
      const changed = withTagFields(before, fields);
      if (!changed.ok) return changed;
      const after = changed.value;
      if (isDeepStrictEqual(before, after)) return { ok: true, value: before };

      await writeTag(tx, after);
      await recordTagChange(tx, deps, by, { action: 'TAG_UPDATED', before, after, now: deps.clock.now() });
      return { ok: true, value: after };
    });
  } catch (error) {
    if (isTagNameTaken(error)) return failWith(tagNameTaken());
    throw error;
  }
}
