import type { IncomingMessage } from 'node:http';
import type { Authentication, Authenticator, Session } from '../../domain/access/session.ts';
import { headersOf } from '../http/refusal-status.ts';
import type { RequestRefusal } from '../http/respond.ts';

/** Why a caller is not let in. */
export type RefusedReason = Extract<Authentication, { ok: false }>['reason'];

const UNAUTHENTICATED = { status: 401, code: 'UNAUTHENTICATED' };

/** The answers to those who are not let in. They are the same whether a key is unknown, expired or revoked. */
export const REFUSALS: Readonly<Record<RefusedReason, RequestRefusal>> = {
  MISSING: {
    ...UNAUTHENTICATED,
    message: 'The API needs a key: send Authorization: Bearer, and the key.',
    headers: { 'WWW-Authenticate': 'Bearer realm="job-scheduler"' },
  },
  INVALID: {
    ...UNAUTHENTICATED,
    message: 'The key is not valid: it is unknown, expired or revoked.',
    headers: { 'WWW-Authenticate': 'Bearer realm="job-scheduler", error="invalid_token"' },
  },
  UNAVAILABLE: {
    status: 503,
    code: 'UNAVAILABLE',
    message: 'The key cannot be checked at the moment; the database may be away. Try again.',
    headers: headersOf('UNAVAILABLE'),
  },
};

/** Who sent a request, or why they are not let in. */
export async function admit(
  { authenticate }: Authenticator,
  { headers }: IncomingMessage,
): Promise<{ session: Session } | { refusal: RequestRefusal }> {
  const authentication = await authenticate(headers.authorization);
  return authentication.ok
    ? { session: authentication.session }
    : { refusal: REFUSALS[authentication.reason] };
}
