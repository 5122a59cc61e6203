import { MessageType } from 'graphql-ws';
import type { SubscribePayload } from 'graphql-ws';
import { nestsDeeperThan } from '../../domain/values/json-value.ts';
import { VARIABLES_TOO_DEEP } from '../http/graphql-params.ts';
import { parseJson } from '../http/json-body.ts';
import { MAX_NESTING } from '../limits/limits.ts';

/** What a `subscribe` message asks for, or the mistake in it, which is that of one operation. */
export type Asked = { payload: SubscribePayload } | { mistake: string };

/** What a client's message is: one of the protocol's, or none, on which the socket is closed. */
export type ReadMessage =
  | { kind: 'subscribe'; id: string; asked: Asked }
  | { kind: 'complete'; id: string }
  | { kind: 'other' }
  | { kind: 'refused'; reason: string };

const OTHER: ReadMessage = { kind: 'other' };

/** Reads a message as far as it takes to tell whose mistake it is; what the query holds is looked at later. */
export function readMessage(text: string): ReadMessage {
  const message = parseJson(text);
  if (!isObject(message)) return refused('The message is not a JSON object.');
  const { type, id, payload } = message;
  switch (type) {
    case MessageType.Subscribe: {
      if (!isId(id)) return refused('A subscribe message needs an id, a string that is not empty.');
      const mistake = mistakeIn(payload);
      const asked = mistake === null ? { payload: payload as SubscribePayload } : { mistake };
      return { kind: 'subscribe', id, asked };
    }
    case MessageType.Complete:
      return isId(id)
        ? { kind: 'complete', id }
        : refused('A complete message needs an id, a string that is not empty.');
    case MessageType.ConnectionInit:
    case MessageType.Ping:
    case MessageType.Pong:
      if (!isObjectOrAbsent(payload)) return refused(`The payload of a ${type} message is no object.`);
      // That of a ping is sent back, and whoever writes it recurses.
      if (nestsDeeperThan(MAX_NESTING, payload))
        return refused(`The payload of a ${type} message nests deeper than ${MAX_NESTING} levels.`);
      return OTHER;
    default:
      return refused('The message has no type that a client may send.');
  }
}

function mistakeIn(payload: unknown): string | null {
  if (!isObject(payload)) return 'The payload of a subscribe message must be an object.';
  const { query, variables, operationName, extensions } = payload;
  if (typeof query !== 'string') return 'The query of a subscribe message must be a string.';
  if (!isObjectOrAbsent(variables)) return 'The variables of a subscribe message must be an object.';
  if (nestsDeeperThan(MAX_NESTING, variables)) return VARIABLES_TOO_DEEP;
  if (!isAbsent(operationName) && typeof operationName !== 'string')
    return 'The operationName of a subscribe message must be a string.';
  if (!isObjectOrAbsent(extensions)) return 'The extensions of a subscribe message must be an object.';
  return null;
}

function refused(reason: string): ReadMessage {
  return { kind: 'refused', reason };
}

function isId(id: unknown): id is string {
  return typeof id === 'string' && id !== '';
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isAbsent(value: unknown): boolean {
  return value === undefined || value === null;
}

function isObjectOrAbsent(value: unknown): boolean {
  return isAbsent(value) || isObject(value);
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
