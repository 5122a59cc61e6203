import type { IncomingMessage } from 'node:http';
import { MAX_BODY_BYTES } from '../limits/limits.ts';
import { readBody } from './request-body.ts';
import type { RequestRefusal } from './respond.ts';

/**
 * Reads a body that must be JSON, without repeating a parser's complaint, which quotes the body.
 *
 * JSON only: forms, multipart and plain text are the types that any web page may send to any server without asking, so
 * accepting them would let every page on the web do what only clients of the API should.
 */
export async function readJsonBody(
  request: IncomingMessage,
  maxBytes = MAX_BODY_BYTES,
): Promise<{ value: unknown } | { refusal: RequestRefusal }> {
  const [type, ...parameters] = (request.headers['content-type'] ?? '')
    .toLowerCase()
    .split(';')
    .map((part) => part.trim());
  if (type !== 'application/json') return unsupported('Send the request as Content-Type: application/json.');
  if (!parameters.every(isUtf8OrNoCharset)) return unsupported('Send the request in UTF-8.');
  const encoding = request.headers['content-encoding'] ?? 'identity';
  if (encoding !== 'identity') return unsupported('Send the request without a Content-Encoding.');

  const body = await readBody(request, maxBytes);
  if ('refusal' in body) return body;
  const value = parseJson(body.text);
  return value === undefined ? { refusal: NOT_JSON } : { value };
}

/** JSON has no other encoding between systems (RFC 8259). A body in another one would be misread. */
function isUtf8OrNoCharset(parameter: string): boolean {
  return !parameter.startsWith('charset=') || /^charset=("?)utf-?8\1$/.test(parameter);
}

const NOT_JSON: RequestRefusal = {
  status: 400,
  code: 'BAD_REQUEST',
  message: 'The request body is not valid JSON.',
};

/** `undefined` for what is not JSON, which JSON itself cannot say. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function unsupported(message: string): { refusal: RequestRefusal } {
  return { refusal: { status: 415, code: 'UNSUPPORTED_MEDIA_TYPE', message } };
}
