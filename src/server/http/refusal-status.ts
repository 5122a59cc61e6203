import { GraphQLError } from 'graphql';
import type { ExecutionResult } from 'graphql';
import { RETRY_AFTER_SECONDS } from '../limits/limits.ts';

/** The status of each refusal that is not the request's own fault; all others are 400. */
const STATUSES: ReadonlyMap<unknown, number> = new Map([
  ['UNAUTHENTICATED', 401],
  ['FORBIDDEN', 403],
  ['INTERNAL_ERROR', 500],
  ['TOO_MANY_OPERATIONS', 429],
  ['UNAVAILABLE', 503],
]);

/** The same request may be answered a little later. */
const PASSING: ReadonlySet<unknown> = new Set(['TOO_MANY_OPERATIONS', 'UNAVAILABLE']);

/** The HTTP status of an answer that is nothing but an error with this code. */
export function statusOf(code: unknown): number {
  return STATUSES.get(code) ?? 400;
}

/** The headers that go with it. */
export function headersOf(code: unknown): Record<string, string> {
  return PASSING.has(code) ? { 'Retry-After': `${RETRY_AFTER_SECONDS}` } : {};
}

/** Whether nothing but what passes by itself kept the operation from being begun. */
export function isPassing({ errors = [] }: ExecutionResult): boolean {
  return errors.length > 0 && errors.every(({ extensions }) => PASSING.has(extensions['code']));
}

/**
 * A result of a request that was not executed. Its errors decide the HTTP status, as GraphQL over HTTP demands. With
 * data, also null, the status is 200.
 *
 * Errors of the request's own stay 200 for those who accept application/json only, by the same specification.
 */
export function withRefusalStatus(result: ExecutionResult): ExecutionResult {
  if (result.data !== undefined || !result.errors) return result;
  return { ...result, errors: result.errors.map(withStatus) };
}

function withStatus(error: GraphQLError): GraphQLError {
  const { code, http } = error.extensions;
  // Yoga's refusal of a mutation by GET has the code of a malformed request.
  if (statusIn(http) === 405) return withExtensions(error, { code: 'METHOD_NOT_ALLOWED' });
  if (http !== undefined) return error;
  const status = statusOf(code);
  return withExtensions(error, { http: { status, spec: status === 400, headers: headersOf(code) } });
}

function statusIn(http: unknown): unknown {
  return typeof http === 'object' && http !== null && 'status' in http ? http.status : undefined;
}

function withExtensions(error: GraphQLError, extensions: Record<string, unknown>): GraphQLError {
  const { message, nodes, source, positions, path, originalError } = error;
  return new GraphQLError(message, {
    nodes: nodes ?? null,
    source: source ?? null,
    positions: positions ?? null,
    path: path ?? null,
    originalError: originalError ?? null,
    extensions: { ...error.extensions, ...extensions },
  });
}
