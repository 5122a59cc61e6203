import { GraphQLError } from 'graphql';
import { shorten } from '../domain/values/text.ts';

/** What `extensions.code` of a top-level error may be, as far as this folder raises it. */
export type ErrorCode = 'BAD_USER_INPUT' | 'NOT_FOUND' | 'FORBIDDEN';

/**
 * A top-level error that is meant for the client. Expected failures of mutations are not errors but values of their
 * payload; these are for arguments of queries and subscriptions.
 */
export function clientError(
  code: ErrorCode,
  message: string,
  facts: Record<string, unknown> = {},
): GraphQLError {
  return new GraphQLError(message, { extensions: { code, ...facts } });
}

/**
 * An argument that is not what it may be.
 *
 * @param argument its name, which the message repeats so that it can stand alone
 * @param problem what is wrong and what is allowed; never repeats more than a few characters of the value
 */
export function badArgument(argument: string, problem: string): GraphQLError {
  return clientError('BAD_USER_INPUT', `${argument}: ${problem}`, { argument });
}

/** At most this much of a client's own text is repeated to it. */
const SHOWN_CHARACTERS = 64;

/** A client's text as it may stand in a message. */
export function shown(text: string): string {
  return shorten(text, SHOWN_CHARACTERS);
}
