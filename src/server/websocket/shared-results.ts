import { execute } from 'graphql';
import type { DocumentNode, ExecutionArgs, ExecutionResult } from 'graphql';
import { type ErrorMask, maskResult } from '../http/error-mask.ts';
import { formatResult } from '../http/format-result.ts';
import { MAX_SHARED_RESULT_BYTES, SHARED_RESULT_MS } from '../limits/limits.ts';
import { variablesOfResult } from './result-variables.ts';

/** What one event of a subscription is told as, ready to be sent. */
export interface RenderedEvent {
  /** With its errors masked. */
  result: ExecutionResult;
  /** The result as JSON, in UTF-8. */
  json: Buffer;
}

/** The JSON of results that were told; an iterator, which transports share with Yoga, has no place for it. */
const jsonOfResults = new WeakMap<ExecutionResult, Buffer>();

/** A result as JSON, in UTF-8: what was made with it where it is one of a subscription. */
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

/** Subscriptions that tell the same of each event. */
interface SharedSubscription {
  members: number;
  told: Map<object, Kept>;
}

interface Kept {
  circle: SharedSubscription;
  event: object;
  told: RenderedEvent | Promise<RenderedEvent>;
  bytes: number;
  madeMs: number;
}

/**
 * An event is executed and serialised once for all subscriptions with the same document, the same variables and the same
 * viewer, as long as they ask within a second: what is read with an event is to be as it is when it is delivered. Left out
 * of the variables are those that only the subscribed field itself takes: they say which events come, and a subscription
 * field must not look at them when it tells of one.
 *
 * The viewer stands in the key so that nobody is told what only somebody else may read.
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
  ): { circle: SharedSubscription; leave: () => void } {
    const ofDocument = sharedSubscriptions.get(args.document) ?? new Map<string, SharedSubscription>();
    sharedSubscriptions.set(args.document, ofDocument);
    const key = keyOf(args, viewer);
    const circle = ofDocument.get(key) ?? { members: 0, told: new Map<object, Kept>() };
    ofDocument.set(key, circle);
    circle.members += 1;
    return {
      circle,
      leave() {
        circle.members -= 1;
        if (circle.members > 0) return;
        ofDocument.delete(key);
        for (const each of circle.told.values()) drop(each);
      },
    };
  }

  function keep(
    circle: SharedSubscription,
    event: object,
    told: RenderedEvent | Promise<RenderedEvent>,
  ): void {
    const entry: Kept = { circle, event, told, bytes: 0, madeMs: monotonicMs() };
    circle.told.set(event, entry);
    kept.add(entry);
    if (told instanceof Promise) {
      told.then(
        (ready) => {
          if (!kept.has(entry)) return;
          entry.told = ready;
          weigh(entry, ready);
        },
        () => {
          drop(entry);
        },
      );
    } else weigh(entry, told);
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
    entry.circle.told.delete(entry.event);
  }

  function tell(args: ExecutionArgs, event: unknown): RenderedEvent | Promise<RenderedEvent> {
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
      const { circle, leave } = sharedSubscriptionOf(args, viewer);
      return {
        make(event) {
          // Who is alone shares with nobody, and a plain value does not say which event it is.
          if (circle.members === 1 || typeof event !== 'object' || event === null) return tell(args, event);
          const known = circle.told.get(event);
          if (known && monotonicMs() - known.madeMs <= SHARED_RESULT_MS) return known.told;
          if (known) drop(known);
          const told = tell(args, event);
          keep(circle, event, told);
          return told;
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
