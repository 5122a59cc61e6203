import type { AbortReason } from '../domain/verdict.ts';
import type { CallSignal } from '../http/stop-signal.ts';

/** Why a call is ended from our side. */
export type EndReason = AbortReason | 'leaseLost';

/**
 * Ends the call of one execution, as an AbortController and its signal would, for one listener and at a tenth of the price:
 * every execution has one of these.
 */
export class EndSignal implements CallSignal {
  /** Null until the call is told to end. */
  reason: EndReason | null = null;
  #listener: (() => void) | null = null;

  get aborted(): boolean {
    return this.reason !== null;
  }

  /** Only the first reason counts. */
  abort(reason: EndReason): void {
    if (this.reason !== null) return;
    this.reason = reason;
    this.#listener?.();
  }

  addEventListener(_type: 'abort', listener: () => void): void {
    this.#listener = listener;
  }

  removeEventListener(): void {
    this.#listener = null;
  }
}
