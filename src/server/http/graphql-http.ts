import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { compressible, type Compressible } from './compression.ts';
import { pumpBody } from './event-stream.ts';
import type { PumpOptions } from './event-stream.ts';
import type { GraphqlEndpoint } from './graphql-endpoint.ts';
import { readParams } from './graphql-params.ts';
import type { Session } from '../../domain/access/session.ts';
import { GRAPHQL_PATH, WATCHED_ANSWER_BYTES } from '../limits/limits.ts';
import type { Delivery } from '../websocket/delivery.ts';
import type { OperationContext } from './operation-context.ts';
import { factsOf } from './request-facts.ts';
import { refuse } from './respond.ts';

export interface GraphqlHttpOptions extends PumpOptions {
  endpoint: GraphqlEndpoint;
}

/** Answers a GraphQL request over HTTP: one JSON document, or an event stream for a subscription. */
export async function answerGraphql(
  request: IncomingMessage,
  response: ServerResponse,
  { endpoint, openStreams, slowReaderTimeoutMs }: GraphqlHttpOptions,
  { url, requestId, session }: { url: URL; requestId: string; session: Session },
): Promise<void> {
  const read = await readParams(request, url);
  if ('refusal' in read) {
    refuse(response, read.refusal);
    return;
  }
  const delivery: Delivery = { isGone: () => response.destroyed, session };
  try {
    const answer = await respond(endpoint, request, {
      facts: { ...factsOf(request, requestId), viewer: session.viewer },
      delivery,
      params: read.params,
    });
    const acceptEncoding = request.headers['accept-encoding'];
    await send(answer, response, { acceptEncoding, delivery, openStreams, slowReaderTimeoutMs });
    if (delivery.part) await closed(response);
  } finally {
    delivery.part?.keep(0);
  }
}

function respond(endpoint: GraphqlEndpoint, { method, headers }: IncomingMessage, context: OperationContext) {
  // The request gets no abort signal: Yoga would drop a subscription that starts just after its client left, and
  // nobody would end it. Here the answer always arrives, and pumpBody cancels what has no reader.
  const { accept = '*/*' } = headers;
  return endpoint.handleRequest(
    new endpoint.Request(GRAPHQL_URL, { method: method ?? 'GET', headers: { accept } }),
    context,
  );
}

/** Resolves when the answer is handed to the operating system, or its client is gone. */
async function closed(response: ServerResponse): Promise<void> {
  if (!response.destroyed) await once(response, 'close');
}

const GRAPHQL_URL = `http://localhost${GRAPHQL_PATH}`;

interface SendOptions extends PumpOptions {
  acceptEncoding: string | undefined;
  delivery: Delivery;
}

async function send(answer: Response, response: ServerResponse, options: SendOptions): Promise<void> {
  if (answer.body === null) {
    refuse(response, {
      status: answer.status,
      code: answer.status === 406 ? 'NOT_ACCEPTABLE' : 'BAD_REQUEST',
      message: 'Accept application/json for a query or mutation, text/event-stream for a subscription.',
    });
    return;
  }
  const isStream = !(answer.headers.get('content-type') ?? '').includes('json');
  for (const [given, value] of answer.headers) {
    const name = given.toLowerCase();
    // Node names the connection's fate itself, and knows better while the server is stopping.
    if (name !== 'connection' && name !== 'content-encoding') response.setHeader(name, value);
  }
  if (!isStream) {
    await sendBody(response, answer.status, compressible(await answer.text()), options);
    return;
  }
  // Tells nginx to pass events on as they come.
  response.setHeader('X-Accel-Buffering', 'no');
  response.writeHead(answer.status);
  await pumpBody(answer.body, response, options);
}

/**
 * Sends an answer as a text where it is not compressed: node then sends it in one write with the headers. It is held until the
 * client has read it; one that takes in nothing of a large one for too long is disconnected.
 */
async function sendBody(
  response: ServerResponse,
  status: number,
  answer: Compressible,
  { acceptEncoding, delivery, slowReaderTimeoutMs }: SendOptions,
): Promise<void> {
  const { body, bytes, encoding } = await answer(acceptEncoding);
  delivery.part?.keep(bytes);
  if (encoding !== null) response.setHeader('Content-Encoding', encoding);
  response.appendHeader('Vary', 'Accept-Encoding');
  response.setHeader('Cache-Control', 'no-store');
  // Node sees progress within a write, and sets the connection's own time limit again once the answer is sent.
  if (bytes > WATCHED_ANSWER_BYTES) response.setTimeout(slowReaderTimeoutMs);
  response.writeHead(status, { 'Content-Length': bytes }).end(body);
}
