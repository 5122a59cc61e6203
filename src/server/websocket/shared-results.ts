import { execute } from 'graphql';
import type { DocumentNode, ExecutionArgs, ExecutionResult } from 'graphql';
import { type ErrorMask, maskResult } from '../http/error-mask.ts';
import { formatResult } from '../http/format-result.ts';
import { MAX_SHARED_RESULT_BYTES, SHARED_RESULT_MS } from '../limits/limits.ts';
import { variablesOfResult } from './result-variables.ts';

/** One event of a subscription as a result that is ready to be sent. */
export interface RenderedEvent {
  /** With its errors masked. */
  result: ExecutionResult;
  /** The result as JSON, in UTF-8. */
  json: Buffer;
}

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
  /** @param viewer who reads them */
  join: (args: ExecutionArgs, viewer: string) => ResultMaker;
}

/** Subscriptions that get the same result for each event. */
interface SharedSubscription {
  members: number;
  results: Map<object, Kept>;
}

interface Kept {
  shared: SharedSubscription;
  event: object;
  rendered: RenderedEvent | Promise<RenderedEvent>;
  bytes: number;
  madeMs: number;
}

/**
 * An event is executed and serialised once for all subscriptions with the same document, the same variables and the same
 * viewer, if they ask within a second: what is read with an event must be as it is at its delivery. Variables that only the
 * subscribed field takes do not count: they select events, and a subscription field must not use them to resolve one.
 *
 * The viewer is part of the key, so that nobody gets what only somebody else may read.
 */
export function createSharedResults(
  maskError: ErrorMask,
  monotonicMs: () => number = () => performance.now(),
): SharedResults {
  const sharedSubscriptions = new WeakMap<DocumentNode, Map<string, SharedSubscription>>();
  /** In the order in which they were made, so that the oldest go first; all together are bounded. */
  const kept = new Set<Kept>();
  let keptBytes = 0;

  function sharedSubscriptionOf(
    args: ExecutionArgs,
    viewer: string,
  ): { shared: SharedSubscription; leave: () => void } {
    const ofDocument = sharedSubscriptions.get(args.document) ?? new Map<string, SharedSubscription>();
    sharedSubscriptions.set(args.document, ofDocument);
    const key = keyOf(args, viewer);
    const shared = ofDocument.get(key) ?? { members: 0, results: new Map<object, Kept>() };
    ofDocument.set(key, shared);
    shared.members += 1;
    return {
      shared,
      leave() {
        shared.members -= 1;
        if (shared.members > 0) return;
        ofDocument.delete(key);
        for (const each of shared.results.values()) drop(each);
      },
    };
  }

  function keep(
    shared: SharedSubscription,
    event: object,
    rendered: RenderedEvent | Promise<RenderedEvent>,
  ): void {
    const entry: Kept = { shared, event, rendered, bytes: 0, madeMs: monotonicMs() };
    shared.results.set(event, entry);
    kept.add(entry);
    if (rendered instanceof Promise) {
      rendered.then(
        (ready) => {
          if (!kept.has(entry)) return;
          entry.rendered = ready;
          weigh(entry, ready);
        },
        () => {
          drop(entry);
        },
      );
    } else weigh(entry, rendered);
  }

  function weigh(entry: Kept, { json }: RenderedEvent): void {
    entry.bytes = json.length;
    keptBytes += json.length;
    for (const oldest of kept) {
      const isOld = monotonicMs() - oldest.madeMs > SHARED_RESULT_MS;
      if (!isOld && keptBytes <= MAX_SHARED_RESULT_BYTES) break;
      drop(oldest);
    }
  }

  function drop(entry: Kept): void {
    if (!kept.delete(entry)) return;
    keptBytes -= entry.bytes;
    entry.shared.results.delete(entry.event);
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
    join(args, viewer) {
      const { shared, leave } = sharedSubscriptionOf(args, viewer);
      return {
        make(event) {
          // One member alone shares with nobody, and a plain value does not say which event it is.
          if (shared.members === 1 || typeof event !== 'object' || event === null) return render(args, event);
          const known = shared.results.get(event);
          if (known && monotonicMs() - known.madeMs <= SHARED_RESULT_MS) return known.rendered;
          if (known) drop(known);
          const rendered = render(args, event);
          keep(shared, event, rendered);
          return rendered;
        },
        leave,
      };
    },
  };
}

function keyOf({ document, operationName, variableValues }: ExecutionArgs, viewer: string): string {
  const variables = variablesOfResult(document, operationName ?? null)
    .filter((name) => variableValues?.[name] !== undefined)
    .map((name) => [name, variableValues?.[name]]);
  return JSON.stringify([operationName ?? null, viewer, variables]);
}
