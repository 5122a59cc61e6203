import { type ExecutionResult, GraphQLError } from 'graphql';
import type { Part } from '../../async/budget.ts';
import { selfIterator } from '../../async/step-source.ts';
import { formatResult } from '../http/format-result.ts';

export interface HeavyResultOptions {
  /** Room for the answer, once there is some; or why it is refused. */
  enter: () => Part | null | Promise<Part | GraphQLError>;
  run: () => Promise<ExecutionResult>;
  /** Sends the result as JSON; resolves when the client has taken it in, or is gone. */
  send: (json: string) => Promise<void>;
}

/**
 * The one result of a query or mutation that may be large. It is sent past graphql-ws, as results of subscriptions are: so it is
 * known how large it is, and when its client has it. graphql-ws gets an iterator without results, which ends after that.
 */
export function heavyResult({ enter, run, send }: HeavyResultOptions): AsyncIterableIterator<never> {
  let hasLeft = false;
  const isAwaited = () => !hasLeft;
  return {
    async next() {
      const part = await enter();
      if (part instanceof GraphQLError) throw part;
      try {
        if (!isAwaited()) return OVER;
        const json = JSON.stringify(formatResult(await run()));
        part?.keep(Buffer.byteLength(json));
        if (isAwaited()) await send(json);
      } finally {
        part?.keep(0);
      }
      return OVER;
    },
    return() {
      hasLeft = true;
      return Promise.resolve(OVER);
    },
    [Symbol.asyncIterator]: selfIterator,
  };
}

const OVER = { done: true, value: undefined } as const;
