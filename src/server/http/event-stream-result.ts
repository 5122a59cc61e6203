import { type ExecutionResult, GraphQLError } from 'graphql';
import { REFUSALS } from '../access/admission.ts';
import type { Delivery } from '../websocket/delivery.ts';
import {
  EVENT_STREAM_PING_MS,
  EVENT_STREAM_RETRY_MS,
  EVENT_STREAM_UNAVAILABLE_RETRY_MS,
} from '../limits/limits.ts';
import { jsonOf } from '../websocket/shared-results.ts';

export const EVENT_STREAM = 'text/event-stream';
const END_OF_EVENT = Buffer.from('\n\n');
const HEADERS = { 'Content-Type': EVENT_STREAM, 'Cache-Control': 'no-cache, no-transform' };

/**
 * A subscription as server-sent events, in the "distinct connections mode" that GraphQL clients share: `event: next` with
 * a result each, and `event: complete` at the end.
 *
 * `id:` lines carry the cursor, which an EventSource sends back as `Last-Event-ID` when it reconnects. They come with
 * each event, at the start (a connection may break before the first one), and with each ping: of a feed whose filter
 * lets nothing through for long, the cursor would else be older than what is kept. An id without data is no event.
 *
 * When the session of its caller ends, the stream says so by a last result, an error, and completes.
 *
 * @param results are asked for one by one, when the client has taken in the one before
 */
export function eventStreamResponse(results: AsyncIterable<ExecutionResult>, delivery: Delivery): Response {
  const position = () => delivery.position?.() ?? null;
  const iterator = results[Symbol.asyncIterator]();
  const encoder = new TextEncoder();
  let ping: NodeJS.Timeout | undefined;
  let stopListening: (() => void) | undefined;
  let isOver = false;
  const end = () => {
    isOver = true;
    clearInterval(ping);
    stopListening?.();
  };
  const stream = new ReadableStream<Uint8Array>(
    {
      start(controller) {
        controller.enqueue(encoder.encode(`retry: ${EVENT_STREAM_RETRY_MS}\n${idLine(position())}\n`));
        ping = setInterval(() => {
          // Below 0 the ping before still waits for its reader.
          if (controller.desiredSize === 0) controller.enqueue(encoder.encode(pingOf(position())));
        }, EVENT_STREAM_PING_MS);
        stopListening = delivery.session?.onEnd(() => {
          end();
          controller.enqueue(Buffer.concat([nextEvent(SESSION_ENDED), encoder.encode(COMPLETE_EVENT)]));
          controller.close();
          void iterator.return?.();
        });
      },
      async pull(controller) {
        const step = await iterator.next();
        if (isOver) return;
        if (step.done !== true) {
          controller.enqueue(Buffer.concat([Buffer.from(idLine(position())), nextEvent(step.value)]));
          return;
        }
        end();
        controller.enqueue(encoder.encode(COMPLETE_EVENT));
        controller.close();
      },
      async cancel() {
        end();
        await iterator.return?.();
      },
    },
    // Nothing is asked for ahead of the reader.
    { highWaterMark: 0 },
  );
  return new Response(stream, { headers: HEADERS });
}

/**
 * A subscription that cannot begin for the moment: one event says so and the stream breaks off. An EventSource comes back, where
 * any status but 200 would end it for good.
 */
export function brokenOffStreamResponse(result: ExecutionResult): Response {
  const text = `retry: ${EVENT_STREAM_UNAVAILABLE_RETRY_MS}\nevent: next\ndata: ${jsonOf(result).toString()}\n\n`;
  return new Response(text, { headers: HEADERS });
}

const COMPLETE_EVENT = 'event: complete\ndata:\n\n';

const SESSION_ENDED: ExecutionResult = {
  errors: [new GraphQLError(REFUSALS.INVALID.message, { extensions: { code: REFUSALS.INVALID.code } })],
};

function nextEvent(result: ExecutionResult): Buffer {
  return Buffer.concat([Buffer.from('event: next\ndata: '), jsonOf(result), END_OF_EVENT]);
}

function idLine(cursor: string | null): string {
  return cursor === null ? '' : `id: ${cursor}\n`;
}

function pingOf(cursor: string | null): string {
  return cursor === null ? ':\n\n' : `${idLine(cursor)}\n`;
}
