import type { FieldIssue } from '../../domain/job/job-definition.ts';
import { normalizeTagColor, readTagName } from '../../domain/job/tag.ts';
import type { StoredTag } from '../../store/tags/tags.ts';
import { type CommandError, type CommandResult, failWith, validationError } from '../command-result.ts';

/** A tag as a client writes it. */
export interface TagFields {
  name?: string | null | undefined;
  color?: string | null | undefined;
}

/**
 * A tag with what a client says of it: absent leaves as it is, a null color is none.
 *
 * @returns the tag, name and color in their one spelling; or all that is wrong with them
 */
export function withTagFields(tag: StoredTag, { name, color }: TagFields): CommandResult<StoredTag> {
  const issues: FieldIssue[] = [];
  const changed = { ...tag };
  if (name === null) {
    issues.push({ path: ['name'], message: 'May not be null; leave it out to keep it as it is.' });
  } else if (name !== undefined) {
    const read = readTagName(name);
    if (read.ok) changed.name = read.name;
    else issues.push({ path: ['name'], message: read.message });
  }
  if (color !== undefined) {
    changed.color = color === null ? null : normalizeTagColor(color);
    if (color !== null && changed.color === null)
      issues.push({ path: ['color'], message: 'Must be # and six hexadecimal digits, such as #1f6feb.' });
  }
  return issues.length > 0 ? failWith(validationError(issues)) : { ok: true, value: changed };
}

/** There is no such tag. `id` is repeated as the client wrote it. */
export function tagNotFound(id: string): CommandError {
  return { kind: 'NotFoundError', message: 'There is no such tag.', path: ['id'], id: id.slice(0, 64) };
}

/** Another tag has the name. */
export function tagNameTaken(): CommandError {
  return { kind: 'ConflictError', message: 'Another tag has this name.', path: ['name'] };
}
