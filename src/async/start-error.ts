/** A reason why a start fails that the operator can fix. The message says what to do, so it needs no stack. */
export class StartError extends Error {
  override readonly name = 'StartError';
}
