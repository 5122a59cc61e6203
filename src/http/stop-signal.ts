/**
 * Tells one call that is under way to end, and why. What an AbortSignal does for many listeners, for one: every call has two of
 * these, one from its caller and one within.
 */
export class StopSignal<Reason extends string> {
  /** Null until the call must end. */
  reason: Reason | null = null;
  #listener: (() => void) | null = null;

  /** Only the first reason counts. */
  stop(reason: Reason): void {
    if (this.reason !== null) return;
    this.reason = reason;
    this.#listener?.();
  }

  /** Sets the function that ends the call; null when there is nothing to end any more. */
  listen(listener: (() => void) | null): void {
    this.#listener = listener;
  }
}
