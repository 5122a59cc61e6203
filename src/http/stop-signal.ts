/** Why one call is ended from our side. */
export type StopReason = 'timeout' | 'abort';

/**
 * Tells the one exchange of a call that is under way to end. What an AbortSignal does for many listeners, for one, at a
 * tenth of the price: every call has one of these.
 */
export class StopSignal {
  /** Null until the call is told to end. */
  reason: StopReason | null = null;
  #listener: (() => void) | null = null;

  /** Only the first reason counts. */
  stop(reason: StopReason): void {
    if (this.reason !== null) return;
    this.reason = reason;
    this.#listener?.();
  }

  /** Sets who is told; null when there is nothing to end any more. */
  listen(listener: (() => void) | null): void {
    this.#listener = listener;
  }
}

/** What ends a call from outside: an AbortSignal, or what is as much to a single listener. */
export interface CallSignal {
  readonly aborted: boolean;
  addEventListener: (type: 'abort', listener: () => void) => void;
  removeEventListener: (type: 'abort', listener: () => void) => void;
}
