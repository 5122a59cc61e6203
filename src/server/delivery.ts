/**
 * How the events of one subscription reach its client: what the transport asks of whoever makes results out of events,
 * and what it is told.
 */
export interface Delivery {
  /** Makes one event's result, as soon as the client has room for it. Without it, results are made as they are asked for. */
  inTurn?: <T>(make: () => Promise<T>) => Promise<T>;
  /**
   * Set once the subscription stands. The cursor up to which all events were handed over, or are none of this
   * subscription's; null while one is on its way, and for subscriptions without cursors.
   */
  position?: () => string | null;
}
