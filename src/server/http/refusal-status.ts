import { GraphQLError } from 'graphql';
import type { ExecutionResult } from 'graphql';
import { RETRY_AFTER_SECONDS } from '../limits/limits.ts';

/** The HTTP status of an answer that is nothing but an error with this code. */
export function statusOf(code: unknown): number {
  if (code === 'UNAVAILABLE') return 503;
  return code === 'INTERNAL_ERROR' ? 500 : 400;
}

/** The headers that go with it. */
export function headersOf(code: unknown): Record<string, string> {
  return code === 'UNAVAILABLE' ? { 'Retry-After': `${RETRY_AFTER_SECONDS}` } : {};
}

/**
 * A result of which nothing was executed, its errors told as the status too: that is what GraphQL over HTTP asks for. With
 * data, also null, the status is 200.
 *
 * Errors of the client's own stay 200 for those who accept application/json only, by the same specification.
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
  return withExtensions(error, { http: { status, spec: status < 500, headers: headersOf(code) } });
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
