/** What keeps a start from succeeding and the operator can mend: the message says what to do, and needs no stack. */
export class StartError extends Error {
  override readonly name = 'StartError';
}
