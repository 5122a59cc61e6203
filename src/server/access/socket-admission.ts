import { CloseCode } from 'graphql-ws';
import type { Authenticator, Session } from '../../domain/access/session.ts';
import { REFUSALS } from './admission.ts';

/** "Try again later": clients reconnect on it. */
const TRY_AGAIN_LATER_CODE = 1013;

/** How a socket is closed whose caller is not let in. */
export interface SocketRefusal {
  code: number;
  reason: string;
}

/** To those whose key was valid when the socket opened. */
export const KEY_ENDED: SocketRefusal = {
  code: CloseCode.Forbidden,
  reason: REFUSALS.INVALID.message,
};

/**
 * Who opened a socket, or how it is to be closed.
 *
 * @param params the payload of the client's `connection_init` message; a browser can send no header of its own
 */
export async function admitSocket(
  { authenticate }: Authenticator,
  params: Readonly<Record<string, unknown>> | undefined,
): Promise<{ session: Session } | { refusal: SocketRefusal }> {
  const given = params?.['Authorization'] ?? params?.['authorization'];
  const authentication = await authenticate(typeof given === 'string' ? given : undefined);
  if (authentication.ok) return { session: authentication.session };
  if (authentication.reason === 'UNAVAILABLE') {
    return { refusal: { code: TRY_AGAIN_LATER_CODE, reason: REFUSALS.UNAVAILABLE.message } };
  }
  const reason =
    authentication.reason === 'MISSING'
      ? 'The API needs a key: send { Authorization: "Bearer <key>" } as connectionParams.'
      : REFUSALS.INVALID.message;
  return { refusal: { code: CloseCode.Forbidden, reason } };
}
