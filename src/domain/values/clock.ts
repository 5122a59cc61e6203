/**
 * The one source of time. In production it follows the database's clock (store/upkeep/database-clock.ts), so that every
 * instance agrees on what is due; in tests it is moved by hand.
 */
export interface Clock {
  now: () => Date;
}
