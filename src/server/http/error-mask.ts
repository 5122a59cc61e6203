import {
  type ExecutionResult,
  GraphQLError,
  type GraphQLErrorOptions,
  type GraphQLSchema,
  Kind,
} from 'graphql';
import type { ServerLog } from './server-log.ts';
import { explainValueError } from './value-errors.ts';

/**
 * Decides what a client may read of an error: an error that carries `extensions.code` was meant for it, a value that it
 * sent wrongly is its own mistake, and everything else is a fault of ours, shown as an id under which the log has it, and as
 * one that passes where it is the database that is away.
 */
export type ErrorMask = (error: unknown) => GraphQLError;

export interface ErrorMaskOptions {
  log: ServerLog;
  /** Draws the id of an error. */
  newId: () => string;
  /** Whether something failed only because the database is away. */
  isUnavailable: (error: unknown) => boolean;
  /** Says what its fields allow. */
  schema: GraphQLSchema;
}

export function createErrorMask({ log, newId, isUnavailable, schema }: ErrorMaskOptions): ErrorMask {
  return (error) => {
    if (error instanceof GraphQLError) {
      if (isMeantForClient(error)) return error;
      if (isClientsMistake(error)) return withCode(error, 'BAD_USER_INPUT', explainValueError(error, schema));
    }
    const errorId = newId();
    const facts = {
      errorId,
      path: error instanceof GraphQLError ? error.path?.join('.') : undefined,
      error: innermost(error),
    };
    if (isUnavailable(innermost(error))) {
      log.warn('Request refused while the database is away', facts);
      return hidden(error, { code: 'UNAVAILABLE', message: UNAVAILABLE, errorId });
    }
    log.error('Unexpected error while answering a request', facts);
    return hidden(error, { code: 'INTERNAL_ERROR', message: 'Internal error', errorId });
  };
}

/** A result as its client may read it. */
export function maskResult(result: ExecutionResult, maskError: ErrorMask): ExecutionResult {
  return result.errors ? { ...result, errors: result.errors.map((error) => maskError(error)) } : result;
}

const UNAVAILABLE = 'The scheduler cannot reach its database at the moment; try again.';

function isMeantForClient(error: GraphQLError): boolean {
  return innermost(error) instanceof GraphQLError && typeof error.extensions['code'] === 'string';
}

/**
 * Values that do not fit their types are found by graphql-js and Pothos, which give no code. A scalar's complaint stands
 * inside the one about its variable, so here the outer error counts. An argument may be that of a directive at the root, which
 * has no path.
 */
function isClientsMistake(error: GraphQLError): boolean {
  if (error.path === undefined && isAboutVariables(error)) return true;
  const cause = innermost(error);
  if (!(cause instanceof GraphQLError)) return false;
  return cause.name === 'PothosValidationError' || cause.message.startsWith('Argument "');
}

function isAboutVariables({ nodes, message }: GraphQLError): boolean {
  return (
    nodes?.[0]?.kind === Kind.VARIABLE_DEFINITION ||
    message.startsWith('Too many errors processing variables')
  );
}

function innermost(error: unknown): unknown {
  return error instanceof GraphQLError && error.originalError ? innermost(error.originalError) : error;
}

/** The same error with a code, and in our words. */
function withCode(error: GraphQLError, code: string, message: string): GraphQLError {
  return new GraphQLError(message, { ...placeOf(error), extensions: { ...error.extensions, code } });
}

/** An error without anything of its own but where it happened. */
function hidden(
  error: unknown,
  { code, message, errorId }: { code: string; message: string; errorId: string },
): GraphQLError {
  const place = error instanceof GraphQLError ? placeOf(error) : {};
  return new GraphQLError(message, { ...place, extensions: { code, errorId } });
}

function placeOf({ nodes, source, positions, path }: GraphQLError): GraphQLErrorOptions {
  return { nodes: nodes ?? null, source: source ?? null, positions: positions ?? null, path: path ?? null };
}
