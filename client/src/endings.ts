import type { GraphQLFormattedError } from 'graphql';

/** What is said in place of a result when a subscription ends: a socket's end, or errors of the server. */
export type EndReason = unknown;

/**
 * What an end means. `passing`: it will work again, as a server that restarts. `fault`: the server's own mistake, which may
 * be over. `refused`: it does not take the token, which may just have run out. `final`: the same would come of it again.
 */
export type EndKind = 'passing' | 'fault' | 'refused' | 'final';

/** How often in a row it is worth asking again after an end of each kind. */
export const TRIES_AFTER: Readonly<Record<EndKind, number>> = {
  passing: Infinity,
  fault: 3,
  refused: 1,
  final: 0,
};

const REFUSED_CLOSES = [4401, 4403];

/**
 * Closes of a connection that broke the protocol, asked for too much, or comes from a page that may not connect (1008). Nobody else's close is final: servers restart,
 * proxies time out, and a 1006 says nothing at all.
 */
const FINAL_CLOSES = [1002, 1003, 1007, 1008, 1009, 4400, 4406, 4409, 4429];

export function kindOfEnd(reason: EndReason): EndKind {
  if (Array.isArray(reason)) return kindOfErrors(reason);
  const code = closeCode(reason);
  if (code === null) return 'passing';
  if (REFUSED_CLOSES.includes(code)) return 'refused';
  return FINAL_CLOSES.includes(code) ? 'final' : 'passing';
}

function kindOfErrors(errors: readonly unknown[]): EndKind {
  const codes = errors.map((error) => fieldOf(fieldOf(error, 'extensions'), 'code'));
  if (codes.includes('UNAVAILABLE')) return 'passing';
  return codes.includes('INTERNAL_ERROR') ? 'fault' : 'final';
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
