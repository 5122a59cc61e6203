import { GraphQLError, Kind } from 'graphql';
import type { ServerLog } from './server-log.ts';

/**
 * Decides what a client may read of an error: an error that carries `extensions.code` was meant for it, a value that it
 * sent wrongly is its own mistake, and everything else is a fault of ours, told as an id under which the log has it.
 */
export type ErrorMask = (error: unknown) => GraphQLError;

export function createErrorMask({ log, newId }: { log: ServerLog; newId: () => string }): ErrorMask {
  return (error) => {
    if (error instanceof GraphQLError) {
      if (isMeantForClient(error)) return error;
      if (isClientsMistake(error)) return withCode(error, 'BAD_USER_INPUT');
    }
    const errorId = newId();
    log.error('Unexpected error while answering a request', {
      errorId,
      path: error instanceof GraphQLError ? error.path?.join('.') : undefined,
      error: innermost(error),
    });
    return internalError(error, errorId);
  };
}

function isMeantForClient(error: GraphQLError): boolean {
  return innermost(error) instanceof GraphQLError && typeof error.extensions['code'] === 'string';
}

/**
 * Values that do not fit their types are found by graphql-js and Pothos, which give no code. A scalar's complaint stands
 * inside the one about its variable, so here the outer error counts.
 */
function isClientsMistake(error: GraphQLError): boolean {
  if (error.path === undefined) {
    return (
      error.nodes?.[0]?.kind === Kind.VARIABLE_DEFINITION ||
      error.message.startsWith('Too many errors processing variables')
    );
  }
  const cause = innermost(error);
  if (!(cause instanceof GraphQLError)) return false;
  return cause.name === 'PothosValidationError' || cause.message.startsWith('Argument "');
}

function innermost(error: unknown): unknown {
  return error instanceof GraphQLError && error.originalError ? innermost(error.originalError) : error;
}

/** The same error with a code; the specification's status is 400 where nothing at all was executed. */
function withCode(error: GraphQLError, code: string): GraphQLError {
  return new GraphQLError(error.message, {
    nodes: error.nodes ?? null,
    source: error.source ?? null,
    positions: error.positions ?? null,
    path: error.path ?? null,
    extensions: { code, ...(error.path === undefined && { http: { status: 400, spec: true } }) },
  });
}

function internalError(error: unknown, errorId: string): GraphQLError {
  const place = error instanceof GraphQLError ? error : undefined;
  return new GraphQLError('Internal error', {
    nodes: place?.nodes ?? null,
    source: place?.source ?? null,
    positions: place?.positions ?? null,
    path: place?.path ?? null,
    extensions: {
      code: 'INTERNAL_ERROR',
      errorId,
      // Without a path nothing was executed, and the answer as a whole failed.
      ...(place?.path === undefined && { http: { status: 500 } }),
    },
  });
}
