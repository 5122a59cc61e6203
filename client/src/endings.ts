import type { GraphQLFormattedError } from 'graphql';

/** What is said in place of a result when a subscription ends: a socket's end, or errors of the server. */
export type EndReason = unknown;

/** Errors of the server that pass: it works again, for instance once its database is back. */
const PASSING_CODES = ['INTERNAL_ERROR'];

/** The server will not take this client's token. */
const UNAUTHORIZED = [4401, 4403];

/**
 * Closes that the same request would earn again: it breaks the protocol or is too large. Nobody else's close is final:
 * servers restart, proxies time out, and a 1006 says nothing at all.
 */
const FINAL_CLOSES = [1002, 1003, 1007, 1009, 4400, 4406, 4409, 4429];

/**
 * Decides whether to ask again after a subscription has ended without being complete.
 *
 * @param refusals how often in a row the token was refused already: it may have run out, and the next one is a fresh one
 */
export function decideAfterEnd(reason: EndReason, refusals: number): 'askAgain' | 'fail' {
  if (Array.isArray(reason)) return arePassing(reason) ? 'askAgain' : 'fail';
  const code = closeCode(reason);
  if (code === null) return 'askAgain';
  if (UNAUTHORIZED.includes(code)) return refusals === 0 ? 'askAgain' : 'fail';
  return FINAL_CLOSES.includes(code) ? 'fail' : 'askAgain';
}

/** Whether the server has refused the token. */
export function isRefusal(reason: EndReason): boolean {
  const code = closeCode(reason);
  return code !== null && UNAUTHORIZED.includes(code);
}

/** Whether it makes sense to ask again for what came to these GraphQL errors. */
export function arePassing(errors: readonly unknown[]): boolean {
  return errors.some((error) => PASSING_CODES.includes(codeOf(error)));
}

function codeOf(error: unknown): string {
  const extensions = fieldOf(error, 'extensions');
  const code = fieldOf(extensions, 'code');
  return typeof code === 'string' ? code : '';
}

function closeCode(reason: EndReason): number | null {
  const code = fieldOf(reason, 'code');
  return typeof code === 'number' ? code : null;
}

function fieldOf(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[name] : undefined;
}

/** What ended a subscription, as something to show: a browser tells it as an event, the server as a list of errors. */
export function shownReason(reason: EndReason): Error | readonly GraphQLFormattedError[] {
  if (reason instanceof Error) return reason;
  if (Array.isArray(reason)) return reason as readonly GraphQLFormattedError[];
  const code = closeCode(reason);
  if (code === null) return new Error('The connection failed.', { cause: reason });
  const text = fieldOf(reason, 'reason');
  const why = typeof text === 'string' && text !== '' ? `: ${text}` : '';
  return new Error(`The connection was closed with code ${code}${why}`, { cause: reason });
}
