import type { Viewer } from './viewer.ts';

/** A caller who was let in, for as long as their credentials are valid. */
export interface Session {
  viewer: Viewer;
  /** Uses the credentials for one more operation. Answers whether they are still valid. */
  use: () => boolean;
  /**
   * Calls back once, as soon as it is known that the credentials are not valid any longer.
   *
   * @returns stops listening
   */
  onEnd: (listener: () => void) => () => void;
}

/**
 * What became of a caller's credentials. MISSING: there are none. INVALID: they are unknown, expired or revoked. UNAVAILABLE:
 * nobody can tell, because the database is away.
 */
export type Authentication =
  { ok: true; session: Session } | { ok: false; reason: 'MISSING' | 'INVALID' | 'UNAVAILABLE' };

/** Lets callers in. */
export interface Authenticator {
  /** @param authorization what the caller sent as `Authorization`. It must never be logged. */
  authenticate: (authorization: string | undefined) => Promise<Authentication>;
}
