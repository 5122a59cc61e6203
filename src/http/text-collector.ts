import { TextDecoder } from 'node:util';
import { cutText } from '../domain/text.ts';

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
export function createTextCollector(contentType: string | undefined, maxLength: number): TextCollector {
  const decoder = createTextDecoder(contentType);
  let text = '';
  return {
    add(chunk) {
      text += decoder.decode(chunk, { stream: true });
      return text.length > maxLength;
    },
    finish() {
      text += decoder.decode();
      return {
        text: cutText(text, maxLength).replaceAll('\0', '\uFFFD'),
        truncated: text.length > maxLength,
      };
    },
  };
}

function createTextDecoder(contentType: string | undefined): TextDecoder {
  const charset = /;\s*charset\s*=\s*"?([^\s;"]+)/i.exec(contentType ?? '')?.[1];
  try {
    return new TextDecoder(charset ?? 'utf-8');
  } catch {
    return new TextDecoder('utf-8');
  }
}
