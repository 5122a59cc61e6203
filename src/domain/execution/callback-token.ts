import { createHmac, timingSafeEqual } from 'node:crypto';
import { decodePublicId, encodePublicId } from '../values/public-id.ts';
import { MASK } from '../request/secrets.ts';

/** Under which path of the scheduler callbacks arrive; the token follows. */
export const CALLBACK_PATH = '/callbacks/';

/** The attempt that a callback is about: of all attempts of all executions it speaks for this one alone. */
export type CallbackClaim = {
  /** A UUID. */
  executionId: string;
  attempt: number;
  /** Of the claim under which the attempt was made; once it is over, so is the token. */
  claimSeq: number;
};

/** Execution id, attempt, claim and signature: 32 bytes in base64url. */
const TOKEN = /^((exec_[0-9a-z]{26})\.(\d{1,10})\.(\d{1,10}))\.([A-Za-z0-9_-]{43})$/;

/**
 * The token by which a target proves that it was called for this attempt. Whoever has it can end the attempt, so it is
 * a secret of the target and ours.
 */
export function signCallbackToken({ executionId, attempt, claimSeq }: CallbackClaim, secret: string): string {
  const claim = `${encodePublicId('Execution', executionId)}.${attempt}.${claimSeq}`;
  return `${claim}.${sign(claim, secret)}`;
}

/** What a token speaks for; null for every text that {@link signCallbackToken} has not given with this secret. */
export function readCallbackToken(token: string, secret: string): CallbackClaim | null {
  const [, claim = '', id = '', attempt, claimSeq, signature = ''] = TOKEN.exec(token) ?? [];
  // The time that the comparison takes must not tell how much of a guess was right.
  if (claim === '' || !timingSafeEqual(Buffer.from(signature), Buffer.from(sign(claim, secret)))) return null;
  const executionId = decodePublicId('Execution', id);
  return executionId === null ? null : { executionId, attempt: Number(attempt), claimSeq: Number(claimSeq) };
}

/** A callback URL as it may be shown: where it leads, but not the token. */
export function maskCallbackUrl(url: string): string {
  return url.slice(0, url.lastIndexOf('/') + 1) + MASK;
}

/** The first words keep a signature from being of use where the same secret may once sign something else. */
function sign(claim: string, secret: string): string {
  return createHmac('sha256', secret).update(`callback 1 ${claim}`).digest('base64url');
}
