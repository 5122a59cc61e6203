import { createSourceEventStream, getOperationAST, GraphQLError } from 'graphql';
import type { ExecutionArgs, ExecutionResult } from 'graphql';
import type { Part } from '../../async/budget.ts';
import { serializeCalls } from '../../async/serialize-calls.ts';
import { selfIterator, stepsOf } from '../../async/step-source.ts';
import type { Delivery } from './delivery.ts';
import type { RequestFacts } from '../http/request-facts.ts';
import type { AnswerLimit } from '../limits/answer-limit.ts';
import type { HeavyAnswers } from '../limits/heavy-answers.ts';
import { BATCH_BYTES, MAX_BATCH_RESULTS } from '../limits/limits.ts';
import type { PeerLimits } from '../limits/peer-limits.ts';
import type { RenderedEvent } from './kept-results.ts';
import type { ResultMaker, SharedResults } from './shared-results.ts';

/** What a subscription's source gives; see `events/iterate.ts`. */
interface Source {
  arrival: () => Promise<void>;
  more: (limit: number) => readonly unknown[] | null;
  position?: () => string | null;
  return?: () => Promise<unknown>;
}

/** @param peer who reads the results, and from where */
export type Subscribe = (
  args: ExecutionArgs,
  delivery: Delivery,
  peer: Pick<RequestFacts, 'viewer' | 'address'>,
) => Promise<AsyncIterableIterator<ExecutionResult> | ExecutionResult>;

/**
 * Executes subscriptions as graphql-js does, in the order of their events, and with it keeps the things that a transport
 * cannot see in a result: up to which cursor all was handed over, whatever the client selects; the moment between an event
 * and its result, which is where a client that does not read must hold things up; and which results are the same for
 * several.
 */
export function createSubscribe(
  results: SharedResults,
  peerLimits: PeerLimits,
  answers: RoomForResults,
): Subscribe {
  return async (args, delivery, { viewer, address }) => {
    forgetUndeclared(args);
    const left = peerLimits.enterSubscription({ address, socket: delivery.socket }, bytesOf(args));
    if (left instanceof GraphQLError) return { errors: [left] };
    try {
      const stream = await createSourceEventStream(args);
      if (Symbol.asyncIterator in stream) {
        const { make, leave } = results.join(args, viewer.fingerprint);
        const leaveBoth = () => {
          leave();
          left();
        };
        const { document, operationName, variableValues: variables } = args;
        const bytes = answers.bytesOf({ document, operationName, variables });
        const enter = (count: number) => answers.enterResult(bytes, count);
        return deliver(sourceOf(stream[Symbol.asyncIterator]()), delivery, { make, enter, leave: leaveBoth });
      }
      left();
      return stream;
    } catch (error) {
      left();
      throw error;
    }
  };
}

/** The room for results that may be large, of all clients together. */
export type RoomForResults = Pick<AnswerLimit, 'bytesOf'> & Pick<HeavyAnswers, 'enterResult'>;

/** Limits of what a subscription keeps for as long as it lives. */
function bytesOf({ document, variableValues }: ExecutionArgs): number {
  return (document.loc?.source.body.length ?? 0) + JSON.stringify(variableValues ?? null).length;
}

/**
 * Drops variables that the operation does not declare, which a client may send a megabyte of. They are taken out of what was
 * sent, not left out of a copy: the transports and Yoga hold the same object for as long as the subscription lives.
 */
function forgetUndeclared({ document, operationName, variableValues }: ExecutionArgs): void {
  if (!variableValues) return;
  const { variableDefinitions = [] } = getOperationAST(document, operationName) ?? {};
  const declared = new Set(variableDefinitions.map(({ variable }) => variable.name.value));
  for (const name of Object.keys(variableValues)) {
    if (!declared.has(name)) Reflect.deleteProperty(variableValues, name);
  }
}

const OVER = { done: true, value: undefined } as const;

function deliver(
  source: Source,
  delivery: Delivery,
  results: ResultMaker & { enter: (count: number) => ReturnType<HeavyAnswers['enterResult']> },
): AsyncIterableIterator<ExecutionResult> {
  let isUnderWay = false;
  let isOver = false;
  let lastCursor: string | null = null;
  let largestBytes = BATCH_BYTES;
  /** The room that the last results take up until the client has taken them in, which is when it asks for the next. */
  let held: Part | null = null;
  const isGone = () => isOver;
  delivery.position = () => (isUnderWay ? null : (source.position?.() ?? lastCursor));
  delivery.take = () => take(Math.min(Math.floor(BATCH_BYTES / largestBytes), MAX_BATCH_RESULTS));

  /** @param most results; one at least, and further ones only where their events have arrived */
  async function take(most: number): Promise<readonly RenderedEvent[] | null> {
    giveBack();
    let events = atHand(most);
    try {
      // Here a subscriber waits, with nothing but this call and the promise that the source gives it.
      while (events.length === 0 && !isOver) {
        await source.arrival();
        events = atHand(most);
      }
    } catch (error) {
      if (isOver) return null;
      await leave();
      throw error;
    }
    if (isOver) return null;
    isUnderWay = true;
    const turn = delivery.turns?.enter();
    if (turn) await turn;
    let isMade = false;
    try {
      const room = results.enter(events.length);
      held = room instanceof Promise ? await room : room;
      const making = isGone() ? null : resultsOf(events, results.make, isGone);
      const made = making instanceof Promise ? await making : making;
      if (made === null) return null;
      lastCursor = cursorOf(events.at(-1)) ?? lastCursor;
      largestBytes = made.reduce((largest, { json }) => Math.max(largest, json.length), 1);
      held?.keep(made.reduce((sum, { json }) => sum + json.length, 0));
      isMade = true;
      return made;
    } finally {
      if (!isMade) giveBack();
      delivery.turns?.leave();
      isUnderWay = false;
    }
  }

  function atHand(most: number): readonly unknown[] {
    const events = isOver ? null : source.more(Math.max(most, 1));
    if (events === null) end();
    return events ?? [];
  }

  function end(): void {
    if (!isOver) results.leave();
    isOver = true;
    giveBack();
  }

  function giveBack(): void {
    held?.keep(0);
    held = null;
  }

  async function leave(): Promise<void> {
    end();
    await source.return?.();
  }

  return {
    next: serializeCalls(async () => {
      const [event] = (await take(1)) ?? [];
      return event ? { done: false, value: event.result } : OVER;
    }),
    return: () => leave().then(() => OVER),
    async throw(error: unknown) {
      await leave();
      throw error;
    },
    [Symbol.asyncIterator]: selfIterator,
  };
}

/**
 * Null where the subscriber left while it waited for the results: by then a websocket may use the same id for
 * something else.
 */
function resultsOf(
  events: readonly unknown[],
  make: ResultMaker['make'],
  isGone: () => boolean,
): readonly RenderedEvent[] | Promise<readonly RenderedEvent[] | null> {
  const made = events.map((event) => make(event));
  if (areReady(made)) return made;
  return Promise.all(made.map((each) => Promise.resolve(each))).then(
    (ready) => (isGone() ? null : ready),
    (error: unknown) => {
      if (isGone()) return null;
      throw error;
    },
  );
}

/** Feeds give several events at once, and wait apart from that; an iterator that does not is made to. */
function sourceOf(iterator: AsyncIterator<unknown>): Source {
  if (isSource(iterator)) return iterator;
  const { arrival, step } = stepsOf(async () => {
    const next = await iterator.next();
    return next.done === true ? null : [next.value];
  });
  return { arrival, more: step, return: () => Promise.resolve(iterator.return?.()) };
}

function isSource(iterator: AsyncIterator<unknown> | Source): iterator is Source {
  return 'arrival' in iterator && 'more' in iterator;
}

/** Events of feeds have a cursor each; a gap is over where it leads to. */
function cursorOf(event: unknown): string | null {
  const { cursor, toCursor } = (event ?? {}) as { cursor?: unknown; toCursor?: unknown };
  if (typeof cursor === 'string') return cursor;
  return typeof toCursor === 'string' ? toCursor : null;
}

function areReady(
  made: readonly (RenderedEvent | Promise<RenderedEvent>)[],
): made is readonly RenderedEvent[] {
  return !made.some((each) => each instanceof Promise);
}
