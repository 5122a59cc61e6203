import { TextDecoder } from 'node:util';
import { boundedMemo } from '../domain/values/bounded-memo.ts';
import { cutText } from '../domain/values/text.ts';

/** Text taken from a response's body. */
export type BodyText = { text: string; truncated: boolean };

export type TextCollector = {
  /** Takes a chunk; true once there is more than is kept, so that reading on is pointless. */
  add: (chunk: Uint8Array) => boolean;
  /** What was gathered, cut between characters. */
  finish: () => BodyText;
};

/**
 * Gathers decoded text up to a limit.
 *
 * NUL characters become U+FFFD, as invalid bytes do: PostgreSQL's text cannot hold them, and one such response would
 * otherwise make the record of its execution unwritable.
 *
 * @param contentType the response's header, for its charset; UTF-8 where none is named or the name is unknown
 * @param maxLength in UTF-16 units
 */
export function createTextCollector(contentType = '', maxLength: number): TextCollector {
  let only: Uint8Array | null = null;
  let decoder: TextDecoder | null = null;
  let text = '';

  /** Most bodies come in one chunk, and need no decoder of their own to remember half a character. */
  const add = (chunk: Uint8Array): boolean => {
    const isFirst = only === null && decoder === null;
    if (isFirst && chunk.length <= maxLength) {
      only = chunk;
      return false;
    }
    decoder ??= createTextDecoder(contentType);
    if (only !== null) text += decoder.decode(only, { stream: true });
    only = null;
    text += decoder.decode(chunk, { stream: true });
    return text.length > maxLength;
  };
  const finish = (): BodyText => {
    if (only !== null) text = decodeWhole(only, contentType);
    if (decoder !== null) text += decoder.decode();
    return {
      text: cutText(text, maxLength).replaceAll('\0', '\uFFFD'),
      truncated: text.length > maxLength,
    };
  };
  return { add, finish };
}

/** Content types whose decoder is kept: each target answers with the same one or two. */
const KNOWN_LIMIT = 100;

/** Only for whole texts, of which it keeps nothing. */
const sharedDecoder = boundedMemo(KNOWN_LIMIT, createTextDecoder);

function decodeWhole(bytes: Uint8Array, contentType: string): string {
  const decoder = sharedDecoder(contentType);
  // As a stream, too: asked for all at once, node reads windows-1252, and all that is called so, as ISO 8859-1.
  return decoder.decode(bytes, { stream: true }) + decoder.decode();
}

function createTextDecoder(contentType: string): TextDecoder {
  const charset = /;\s*charset\s*=\s*"?([^\s;"]+)/i.exec(contentType)?.[1];
  try {
    return new TextDecoder(charset ?? 'utf-8');
  } catch {
    return new TextDecoder('utf-8');
  }
}
