/** What a field says of the size of its answer; the server's answer limit reads it. */
export interface AnswerSize {
  /** Bytes of the longest value as JSON. Where it is left out the value is short; see the answer limit. */
  longestBytes?: number;
  /** Rows of a list that has no argument for their number. */
  rows?: number;
}

/** Extensions of a field whose value may be so long as JSON. */
export function longestBytes(bytes: number): { answerSize: AnswerSize } {
  return { answerSize: { longestBytes: bytes } };
}

/** Extensions of a field for a text of so many characters: as JSON, a control character takes six bytes, as in \u0001. */
export function longestText(characters: number): { answerSize: AnswerSize } {
  return longestBytes(6 * characters + 2);
}

/** Extensions of a field for a URL of so many characters. It has no control characters, and any other takes three bytes at most. */
export function longestUrl(characters: number): { answerSize: AnswerSize } {
  return longestBytes(3 * characters + 2);
}

/**
 * Extensions of a field for an object of headers, whose names and values have so many bytes together. A quotation mark or a
 * backslash takes two bytes; each header has quotes, colon and comma, and its value may be masked.
 */
export function longestHeaders(bytes: number, count: number): { answerSize: AnswerSize } {
  return longestBytes(2 * bytes + 9 * count + 2);
}

/** Extensions of a field for a list of so many rows. */
export function listOf(rows: number): { answerSize: AnswerSize } {
  return { answerSize: { rows } };
}

/**
 * Characters of the longest message of a failure: what a callback says, and behind it why the execution was cancelled, each 1,000
 * at most, in words of ours.
 */
export const MAX_ERROR_CHARACTERS = 2_200;

/** Of the headers of an answer, so many characters of so many headers are kept. */
export const KEPT_RESPONSE_HEADERS = longestHeaders(8_192, 64);
