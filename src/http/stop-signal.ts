/**
 * Tells one call that is under way to end, and why. What an AbortSignal does for many listeners, for one: every call has two of
 * these, one from whoever makes it and one within.
 */
export class StopSignal<Reason extends string> {
  /** Null until the call is told to end. */
  reason: Reason | null = null;
  #listener: (() => void) | null = null;

  /** Only the first reason counts. */
  stop(reason: Reason): void {
    if (this.reason !== null) return;
    this.reason = reason;
    this.#listener?.();
  }

  /** Sets who is told; null when there is nothing to end any more. */
  listen(listener: (() => void) | null): void {
    this.#listener = listener;
  }
}
