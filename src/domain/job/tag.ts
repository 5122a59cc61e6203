import type { FieldIssue } from './job-definition.ts';
import { checkText, cutText, isStorable, type TextLimit, UNSTORABLE } from '../values/text.ts';

/** Bounds of tags. Both ends are allowed. The database's CHECK constraints allow at least the same. */
export const TAG_LIMITS = {
  /** Characters of a name, counted after {@link normalizeTagName}. */
  name: { min: 1, max: 64 },
  /** Tags of one job, and names in one list of an input. */
  perJob: 50,
} as const satisfies Record<string, TextLimit | number>;

/** A sentence for every place where a user may write a tag's name. */
export const TAG_NAME_RULE = `Upper and lower case do not differ, nor do white space at the ends and runs of it; ${TAG_LIMITS.name.min} to ${TAG_LIMITS.name.max} characters`;

const COLOR = /^#[0-9a-f]{6}$/;
/** Control and format characters, except the two joiners that scripts and emoji need. */
const INVISIBLE = /(?![\u200c\u200d])[\p{Cc}\p{Cf}]/u;

/**
 * The one spelling of a tag's name: composed (NFC), in lower case, white space inside as single spaces and none at the
 * ends. Applying it twice gives what applying it once does.
 */
export function normalizeTagName(text: string): string {
  const lower = text.normalize('NFC').toLowerCase().normalize('NFC');
  return lower.replaceAll(/\s+/gu, ' ').trim();
}

/** A name in its one spelling; or what is wrong with it and what is allowed. */
export type TagNameCheck = { ok: true; name: string } | { ok: false; message: string };

/** Reads a name as a client wrote it. */
export function readTagName(text: string): TagNameCheck {
  // This comes before normalizing: half of a surrogate pair is not valid, and a long text would take long.
  if (!isStorable(text)) return { ok: false, message: UNSTORABLE };
  const name = normalizeTagName(cutText(text, 1_000));
  const problem = checkText(name, TAG_LIMITS.name);
  if (problem !== null) return { ok: false, message: problem };
  return INVISIBLE.test(name)
    ? { ok: false, message: 'Holds a character that cannot be seen.' }
    : { ok: true, name };
}

/**
 * Reads a list of names as a client wrote them. Returns each once, normalized, in the order of {@link sortedTags}.
 *
 * @param path the list's path in the input
 */
export function readTagNames(
  texts: readonly string[],
  path: readonly string[],
): { names: string[]; issues: FieldIssue[] } {
  if (texts.length > TAG_LIMITS.perJob) {
    const message = `Lists ${texts.length} tags; allowed are ${TAG_LIMITS.perJob}.`;
    return { names: [], issues: [{ path: [...path], message }] };
  }
  const names: string[] = [];
  const issues: FieldIssue[] = [];
  for (const [index, text] of texts.entries()) {
    const read = readTagName(text);
    if (read.ok) names.push(read.name);
    else issues.push({ path: [...path, String(index)], message: read.message });
  }
  return { names: sortedTags(names), issues };
}

/** Each name once, in the order in which a job shows them. The order is by code point, the same on every machine. */
export function sortedTags(names: readonly string[]): string[] {
  return [...new Set(names)].sort(byCodePoint);
}

function byCodePoint(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}

/** The one spelling of a color; null when the text is not a color. */
export function normalizeTagColor(text: string): string | null {
  const color = text.slice(0, 16).toLowerCase();
  return COLOR.test(color) ? color : null;
}
