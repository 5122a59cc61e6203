/** What a field says of the size of its answer; the server's answer limit reads it. */
export interface AnswerSize {
  /** Bytes of the longest value, for texts and JSON that may be long. */
  longestBytes?: number;
  /** Rows of a list that has no argument for their number. */
  rows?: number;
}

/** Extensions of a field whose text or JSON may be so long. */
export function longestBytes(bytes: number): { answerSize: AnswerSize } {
  return { answerSize: { longestBytes: bytes } };
}

/** Extensions of a field for a text of so many UTF-16 units: each takes three bytes in UTF-8 at most. */
export function longestText(characters: number): { answerSize: AnswerSize } {
  return longestBytes(3 * characters);
}

/** Extensions of a field for a list of so many rows. */
export function listOf(rows: number): { answerSize: AnswerSize } {
  return { answerSize: { rows } };
}
