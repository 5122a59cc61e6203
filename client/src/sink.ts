import type { FormattedExecutionResult, GraphQLFormattedError } from 'graphql';

/** One answer to a subscription: an item, or what went wrong with one. */
export type Result<Data> = FormattedExecutionResult<Data>;

/** Where a subscription's answers go. After `error` or `complete`, nothing more comes. */
export interface Sink<Data> {
  next: (result: Result<Data>) => void;
  error: (error: Error | readonly GraphQLFormattedError[]) => void;
  complete: () => void;
}

/** A sink whose receiver may throw. */
export function guarded<Data>(sink: Sink<Data>): Sink<Data> {
  return {
    next: (result) => {
      callSafely(() => {
        sink.next(result);
      });
    },
    error: (error) => {
      callSafely(() => {
        sink.error(error);
      });
    },
    complete: () => {
      callSafely(() => {
        sink.complete();
      });
    },
  };
}

/**
 * Calls into the application without letting what it throws reach the connection, which others share. It is reported as
 * an uncaught error is.
 */
export function callSafely(call: () => void): void {
  try {
    call();
  } catch (error) {
    queueMicrotask(() => {
      throw error;
    });
  }
}
