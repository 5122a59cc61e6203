import type { Authenticator, Session } from '../domain/access/session.ts';
import { ANONYMOUS } from '../domain/access/viewer.ts';

const SESSION: Session = { viewer: ANONYMOUS, use: () => true, onEnd: () => () => undefined };

/** Lets every caller in as the anonymous viewer. What they send as `Authorization` is not looked at. */
export const OPEN_ACCESS: Authenticator = {
  authenticate: () => Promise.resolve({ ok: true, session: SESSION }),
};
