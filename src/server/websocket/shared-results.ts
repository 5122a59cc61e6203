import { execute } from 'graphql';
import type { DocumentNode, ExecutionArgs, ExecutionResult } from 'graphql';
import { type ErrorMask, maskResult } from '../http/error-mask.ts';
import { formatResult } from '../http/format-result.ts';
import { createKeptResults, type RenderedEvent, type ResultsByEvent } from './kept-results.ts';
import { variablesOfResult } from './result-variables.ts';

/** The JSON of rendered results: an iterator, which transports share with Yoga, has no place for it. */
const jsonOfResults = new WeakMap<ExecutionResult, Buffer>();

/** A result as JSON, in UTF-8; that of a subscription is rendered already. */
export function jsonOf(result: ExecutionResult): Buffer {
  return jsonOfResults.get(result) ?? Buffer.from(JSON.stringify(formatResult(result)));
}

/** Makes the results of one subscription. */
export interface ResultMaker {
  /** The event's result, at once where nothing has to be waited for. */
  make: (event: unknown) => RenderedEvent | Promise<RenderedEvent>;
  /** To be called once, when the subscription is over. */
  leave: () => void;
}

/** Makes the results of subscriptions, and makes those only once that several subscribers get. */
export interface SharedResults {
  /** @param fingerprint of the viewer who reads them */
  join: (args: ExecutionArgs, fingerprint: string) => ResultMaker;
}

/** Subscriptions that get the same result for each event. */
interface SharedSubscription {
  members: number;
  results: ResultsByEvent;
}

/**
 * An event is executed and serialised once for all subscriptions with the same document, the same variables and the same
 * fingerprint of the viewer, if they ask within a second: what is read with an event must be as it is at its delivery. Variables that only the
 * subscribed field takes do not count: they select events, and a subscription field must not use them to resolve one.
 *
 * The fingerprint is part of the key, so that nobody gets what only somebody else may read.
 */
export function createSharedResults(
  maskError: ErrorMask,
  monotonicMs: () => number = () => performance.now(),
): SharedResults {
  const sharedSubscriptions = new WeakMap<DocumentNode, Map<string, SharedSubscription>>();
  const kept = createKeptResults(monotonicMs);

  function sharedSubscriptionOf(
    args: ExecutionArgs,
    fingerprint: string,
  ): { shared: SharedSubscription; leave: () => void } {
    const ofDocument = sharedSubscriptions.get(args.document) ?? new Map<string, SharedSubscription>();
    sharedSubscriptions.set(args.document, ofDocument);
    const key = keyOf(args, fingerprint);
    const shared: SharedSubscription = ofDocument.get(key) ?? { members: 0, results: new Map() };
    ofDocument.set(key, shared);
    shared.members += 1;
    return {
      shared,
      leave() {
        shared.members -= 1;
        if (shared.members > 0) return;
        ofDocument.delete(key);
        kept.forget(shared.results);
      },
    };
  }

  function render(args: ExecutionArgs, event: unknown): RenderedEvent | Promise<RenderedEvent> {
    // Not a literal that begins with a spread: its shape would be new for each event.
    const result = execute(Object.assign({}, args, { rootValue: event }));
    return result instanceof Promise ? result.then(serialised) : serialised(result);
  }

  function serialised(raw: ExecutionResult): RenderedEvent {
    const result = maskResult(raw, maskError);
    const json = jsonOf(result);
    jsonOfResults.set(result, json);
    return { result, json };
  }

  return {
    join(args, fingerprint) {
      const { shared, leave } = sharedSubscriptionOf(args, fingerprint);
      return {
        make(event) {
          // One member alone shares with nobody, and a plain value does not say which event it is.
          if (shared.members === 1 || typeof event !== 'object' || event === null) return render(args, event);
          return kept.find(shared.results, event) ?? kept.keep(shared.results, event, render(args, event));
        },
        leave,
      };
    },
  };
}

function keyOf({ document, operationName, variableValues }: ExecutionArgs, fingerprint: string): string {
  const variables = variablesOfResult(document, operationName ?? null)
    .filter((name) => variableValues?.[name] !== undefined)
    .map((name) => [name, variableValues?.[name]]);
  return JSON.stringify([operationName ?? null, fingerprint, variables]);
}
