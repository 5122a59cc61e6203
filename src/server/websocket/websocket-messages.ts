import { MessageType, validateMessage } from 'graphql-ws';
import type { SubscribePayload } from 'graphql-ws';
import { isObject, nestsDeeperThan } from '../../domain/values/json-value.ts';
import { parseJson } from '../http/json-body.ts';
import { MAX_NESTING } from '../limits/limits.ts';

/** A client's message: one of the protocol's, or one for which the protocol has the socket closed. */
export type ReadMessage =
  | { kind: 'subscribe'; id: string; payload: SubscribePayload }
  | { kind: 'complete'; id: string }
  | { kind: 'other' }
  | { kind: 'refused'; reason: string };

/** Reads a message. It checks the types that the protocol demands; the query is checked later. */
export function readMessage(text: string): ReadMessage {
  const message = parseJson(text);
  if (!isObject(message)) return refused('The message is not a JSON object.');
  const { type, payload } = message;
  if (typeof type !== 'string' || !SENT_BY_CLIENTS.has(type))
    return refused('The message has no type that a client may send.');
  // graphql-ws writes the payload into its complaint, and the payload of a ping into the pong: both recurse.
  if (type !== 'subscribe' && nestsDeeperThan(MAX_NESTING, payload))
    return refused(`The payload of a ${type} message nests deeper than ${MAX_NESTING} levels.`);
  try {
    return sorted(validateMessage(message));
  } catch (error) {
    return refused(error instanceof Error ? error.message : String(error));
  }
}

const SENT_BY_CLIENTS: ReadonlySet<string> = new Set([
  MessageType.ConnectionInit,
  MessageType.Ping,
  MessageType.Pong,
  MessageType.Subscribe,
  MessageType.Complete,
]);

function sorted(message: ReturnType<typeof validateMessage>): ReadMessage {
  switch (message.type) {
    case MessageType.Subscribe:
      return { kind: 'subscribe', id: message.id, payload: message.payload };
    case MessageType.Complete:
      return { kind: 'complete', id: message.id };
    default:
      return { kind: 'other' };
  }
}

function refused(reason: string): ReadMessage {
  return { kind: 'refused', reason };
}

const BEFORE_ID = Buffer.from('{"id":');
const BEFORE_PAYLOAD = Buffer.from(',"type":"next","payload":');
const END = Buffer.from('}');

/** A `next` message around a result that is serialised once for all who get it; `id` is JSON as well. */
export function nextMessage(id: Buffer, result: Buffer): Buffer {
  return Buffer.concat([BEFORE_ID, id, BEFORE_PAYLOAD, result, END]);
}

/** The same for a result that one client gets. */
export function nextText(id: string, result: string): string {
  return `{"id":${JSON.stringify(id)},"type":"next","payload":${result}}`;
}

/** The bytes that RFC 6455 has for the reason of a close. */
const MAX_REASON_BYTES = 123;

/** A reason as long as it may be: some repeat what the client sent, and ws throws for a longer one. */
export function closeReason(reason: string): string {
  const bytes = Buffer.from(reason);
  if (bytes.length <= MAX_REASON_BYTES) return reason;
  const room = MAX_REASON_BYTES - Buffer.byteLength('…');
  // As a stream, so that a character that is cut in two is left out.
  return `${new TextDecoder().decode(bytes.subarray(0, room), { stream: true })}…`;
}
