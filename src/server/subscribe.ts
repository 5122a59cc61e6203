import { createSourceEventStream, execute } from 'graphql';
import type { ExecutionArgs, ExecutionResult } from 'graphql';
import type { Delivery } from './delivery.ts';

/** What a subscription's source may tell beside its events; see `events/iterate.ts`. */
interface Source extends AsyncIterator<unknown, unknown> {
  position?: () => string | null;
}

/**
 * Executes a subscription as graphql-js does, one event after the other, and with it keeps the two things that a
 * transport cannot see in a result: up to which cursor all was handed over, whatever the client selects, and the moment
 * between an event and its result, which is where a client that does not read must hold things up.
 */
export async function subscribe(
  args: ExecutionArgs,
): Promise<AsyncIterableIterator<ExecutionResult> | ExecutionResult> {
  const stream = await createSourceEventStream(args);
  if (!(Symbol.asyncIterator in stream)) return stream;
  const { delivery = {} } = args.contextValue as { delivery?: Delivery };
  return deliver(stream[Symbol.asyncIterator](), delivery, async (event) =>
    execute({ ...args, rootValue: event }),
  );
}

const OVER = { done: true, value: undefined } as const;

function deliver(
  source: Source,
  delivery: Delivery,
  resultOf: (event: unknown) => Promise<ExecutionResult>,
): AsyncIterableIterator<ExecutionResult> {
  let isUnderWay = false;
  let isOver = false;
  let lastCursor: string | null = null;
  delivery.position = () => (isUnderWay ? null : (source.position?.() ?? lastCursor));

  async function next(): Promise<IteratorResult<ExecutionResult>> {
    const { done, value: event } = isOver ? OVER : await source.next().catch(endWith);
    if (done === true || isOver) return OVER;
    // Whoever waits for its turn may be gone when it comes.
    const make = async () => (isOver ? null : resultOf(event));
    isUnderWay = true;
    try {
      const result = await (delivery.inTurn?.(make) ?? make());
      if (result === null) return OVER;
      lastCursor = cursorOf(event) ?? lastCursor;
      return { done: false, value: result };
    } finally {
      isUnderWay = false;
    }
  }

  function endWith(error: unknown): never {
    isOver = true;
    throw error;
  }

  async function leave(): Promise<void> {
    isOver = true;
    await source.return?.();
  }

  return {
    next,
    return: () => leave().then(() => OVER),
    throw: (error: unknown) => leave().then(() => endWith(error)),
    [Symbol.asyncIterator]() {
      return this;
    },
  };
}

/** Events of feeds have a cursor each; a gap is over where it leads to. */
function cursorOf(event: unknown): string | null {
  const { cursor, toCursor } = (event ?? {}) as { cursor?: unknown; toCursor?: unknown };
  if (typeof cursor === 'string') return cursor;
  return typeof toCursor === 'string' ? toCursor : null;
}
