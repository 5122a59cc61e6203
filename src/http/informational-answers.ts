import type { InformationEvent } from 'node:http';

/**
 * How many informational answers (1xx) one call takes, and how many bytes of them. Each costs processor time whether it means
 * anything or not, and a target may send them without end: all other calls of the process then wait.
 */
export const INFORMATION_LIMITS = { count: 20, bytes: 65_536 } as const;

/** A target sends more informational answers than {@link INFORMATION_LIMITS}. */
export class TooMuchInformationError extends Error {
  override readonly name = 'TooMuchInformationError';
  readonly code = 'ERR_TOO_MUCH_INFORMATION';
}

/** @returns a function that takes each informational answer of one call, and says whether it is one too many */
export function createInformationCount(): (information: InformationEvent) => boolean {
  let count = 0;
  let bytes = 0;
  return ({ statusMessage, rawHeaders }) => {
    count += 1;
    bytes += STATUS_LINE_BYTES + statusMessage.length;
    // Names and values take turns; each pair has a colon, a space and a line's end.
    for (const text of rawHeaders) bytes += text.length + 2;
    return count > INFORMATION_LIMITS.count || bytes > INFORMATION_LIMITS.bytes;
  };
}

/** "HTTP/1.1 103 " and two line ends. */
const STATUS_LINE_BYTES = 17;
