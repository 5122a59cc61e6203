/** How long a text may be, in characters as a person counts them (code points, PostgreSQL's char_length). */
export type TextLimit = { min: number; max: number };

/**
 * Checks one text. Never repeats it: it may be megabytes long, or a secret.
 *
 * @returns what is wrong and what is allowed, or null
 */
export function checkText(text: string, { min, max }: TextLimit): string | null {
  const length = characterCount(text, max);
  if (length === null) return `Has more than ${max} characters; allowed are ${min} to ${max}.`;
  if (length < min) return `Has ${length} characters; allowed are ${min} to ${max}.`;
  return isStorable(text) ? null : UNSTORABLE;
}

/** Said wherever {@link isStorable} is false. */
export const UNSTORABLE =
  'Holds a NUL character or half of a surrogate pair; text must be valid Unicode without NUL.';

/** Whether PostgreSQL can keep the text: it takes neither U+0000 nor a lone surrogate. */
export function isStorable(text: string): boolean {
  return !text.includes('\0') && text.isWellFormed();
}

/** The first `maxLength` UTF-16 units, or one fewer where that would split a surrogate pair. */
export function cutText(text: string, maxLength: number): string {
  if (text.length <= maxLength) return text;
  const last = text.charCodeAt(maxLength - 1);
  const splitsPair = last >= 0xd800 && last <= 0xdbff;
  return text.slice(0, splitsPair ? maxLength - 1 : maxLength);
}

/** A text as it may be repeated in a message: {@link cutText} and an ellipsis where it is longer. */
export function shorten(text: string, maxLength: number): string {
  return text.length > maxLength ? `${cutText(text, maxLength)}…` : text;
}

/** Null past the limit, so that ten megabytes are not counted one by one. */
function characterCount(text: string, max: number): number | null {
  if (text.length > max * 2) return null;
  let count = 0;
  for (const character of text) if (character !== '') count += 1;
  return count > max ? null : count;
}
