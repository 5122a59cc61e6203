import type { FormattedExecutionResult, GraphQLError, GraphQLFormattedError } from 'graphql';

interface Result {
  data?: Record<string, unknown> | null | undefined;
  errors?: readonly GraphQLError[] | undefined;
  extensions?: Record<string, unknown> | undefined;
}

/** A result as it is sent where no HTTP status goes with it. */
export function formatResult({ data, errors, extensions }: Result): FormattedExecutionResult {
  return {
    ...(data !== undefined && { data }),
    ...(errors && { errors: errors.map(formatError) }),
    ...(extensions && { extensions }),
  };
}

/** `http` in an error's extensions is for the status of a response, and for nobody else. */
export function formatError(error: GraphQLError): GraphQLFormattedError {
  const { extensions, ...rest } = error.toJSON();
  if (!extensions) return rest;
  const shown = { ...extensions };
  delete shown['http'];
  return { ...rest, extensions: shown };
}
