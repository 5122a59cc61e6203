import type { Limiter } from '../../async/limiter.ts';
import type { Session } from '../../domain/access/session.ts';
import type { Part } from '../../async/budget.ts';
import type { Usage } from '../limits/peer-limits.ts';
import type { RenderedEvent } from './kept-results.ts';

/**
 * How the answer to one operation reaches its client: what the transport asks of the maker of results,
 * and what it hears of them.
 */
export interface Delivery {
  /** Turns to make results, as soon as the client has room for them. Without it, they are made as they are asked for. */
  turns?: Pick<Limiter, 'enter' | 'leave'>;
  /** Whether the client is gone: nobody reads the answer then. */
  isGone?: () => boolean;
  /** Of the caller of an event stream, which ends with it. A websocket sees to that by itself. */
  session?: Session;
  /** What the answer to a query or mutation holds of the room for large ones; its sender gives it back. */
  part?: Part;
  /** What the websocket of the subscription has open; absent where it has none. */
  socket?: Usage;
  /**
   * Set once the subscription stands. The cursor up to which all events were handed over, or are none of this
   * subscription's; null while one is on its way, and for subscriptions without cursors.
   */
  position?: () => string | null;
  /**
   * Set once the subscription stands, for a transport that sends several results at once. The next ones, in the place of the
   * iterator's `next`, and one call at a time; null at the end. Throws, unmasked, what the source throws.
   */
  take?: () => Promise<readonly RenderedEvent[] | null>;
}
