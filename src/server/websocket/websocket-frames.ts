import type { RenderedEvent } from './shared-results.ts';

/** A result as a whole frame, with the id of one operation in its place. */
interface Template {
  frame: Buffer;
  idAt: number;
  idBytes: number;
}

/** Of one result, by the length of the id: the ids of a client's operations are usually of one length. */
const templates = new WeakMap<Buffer, Template>();

/**
 * Results of one operation as websocket frames: `next` messages of the protocol graphql-transport-ws, one behind the other,
 * to be written as they are. A result is framed once for all who get it; what is left to do for each is to copy it and to
 * put in the id.
 *
 * @param id the operation's id as JSON, in UTF-8
 */
export function framesOf(id: Buffer, told: readonly RenderedEvent[]): Buffer {
  const parts = told.map(({ json }) => templateOf(json, id.length));
  const frames = Buffer.allocUnsafe(parts.reduce((sum, { frame }) => sum + frame.length, 0));
  let at = 0;
  for (const { frame, idAt } of parts) {
    frame.copy(frames, at);
    id.copy(frames, at + idAt);
    at += frame.length;
  }
  return frames;
}

const BEFORE_ID = Buffer.from('{"id":');
const BEFORE_PAYLOAD = Buffer.from(',"type":"next","payload":');
const END = Buffer.from('}');

function templateOf(json: Buffer, idBytes: number): Template {
  const known = templates.get(json);
  if (known?.idBytes === idBytes) return known;
  const header = headerOf(BEFORE_ID.length + idBytes + BEFORE_PAYLOAD.length + json.length + END.length);
  const frame = Buffer.concat([header, BEFORE_ID, Buffer.alloc(idBytes), BEFORE_PAYLOAD, json, END]);
  const template = { frame, idAt: header.length + BEFORE_ID.length, idBytes };
  templates.set(json, template);
  return template;
}

/** FIN and the opcode of text: a message in a single frame, unmasked as a server's are (RFC 6455, 5.2). */
const FINAL_TEXT = 0x81;
const LENGTH_IN_16_BITS = 126;
const LENGTH_IN_64_BITS = 127;

function headerOf(payloadBytes: number): Buffer {
  if (payloadBytes < LENGTH_IN_16_BITS) return Buffer.from([FINAL_TEXT, payloadBytes]);
  if (payloadBytes <= 0xffff) {
    const header = Buffer.from([FINAL_TEXT, LENGTH_IN_16_BITS, 0, 0]);
    header.writeUInt16BE(payloadBytes, 2);
    return header;
  }
  const header = Buffer.alloc(10);
  header[0] = FINAL_TEXT;
  header[1] = LENGTH_IN_64_BITS;
  header.writeBigUInt64BE(BigInt(payloadBytes), 2);
  return header;
}
