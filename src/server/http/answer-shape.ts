import type { ExecutionResult } from 'graphql';
import { isAsyncIterable } from 'graphql-yoga';
import type { Plugin } from 'graphql-yoga';
import { brokenOffStreamResponse, EVENT_STREAM, eventStreamResponse } from './event-stream-result.ts';
import type { OperationContext } from './operation-context.ts';
import { isPassing, withRefusalStatus } from './refusal-status.ts';

/**
 * What Yoga makes of results is replaced in three places: its event streams have no ids, it sends refusals of
 * subscriptions with status 200, and it forgets a subscription whose client accepts no event stream.
 */
export const shapeAnswers: Plugin<object, OperationContext> = {
  async onResultProcess(hook) {
    const { request, resultProcessor, serverContext } = hook;
    const result = hook.result as ExecutionResult | AsyncIterable<ExecutionResult>;
    if (isAsyncIterable<ExecutionResult>(result)) {
      if (resultProcessor === undefined) await result[Symbol.asyncIterator]().return?.();
      else hook.setResultProcessor(() => eventStreamResponse(result, serverContext.delivery), EVENT_STREAM);
      return;
    }
    hook.setResult(withRefusalStatus(result));
    if (acceptsEventStreamOnly(request) && isPassing(result))
      hook.setResultProcessor(() => brokenOffStreamResponse(result), EVENT_STREAM);
  },
};

function acceptsEventStreamOnly({ headers }: Request): boolean {
  const accept = headers.get('accept') ?? '';
  return accept.includes(EVENT_STREAM) && !/json|\*\/\*/.test(accept);
}
