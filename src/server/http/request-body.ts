import type { IncomingMessage } from 'node:http';
import { MAX_BODY_BYTES, MAX_DISCARDED_BYTES } from '../limits/limits.ts';
import type { RequestRefusal } from './respond.ts';

/** Bodies and documents come from outside; bytes that are no UTF-8 are refused instead of replaced. */
const UTF8 = new TextDecoder('utf-8', { fatal: true });

const NOT_UTF8: RequestRefusal = {
  status: 400,
  code: 'BAD_REQUEST',
  message: 'The request body is not UTF-8.',
};

/** The body's text, or why it is refused. Rejects only when the client goes away before its end. */
export async function readBody(
  request: IncomingMessage,
  maxBytes = MAX_BODY_BYTES,
): Promise<{ text: string } | { refusal: RequestRefusal }> {
  if (Number(request.headers['content-length'] ?? 0) > MAX_DISCARDED_BYTES)
    return { refusal: endless(maxBytes) };

  const body = await collect(request, maxBytes);
  if (body === 'endless') return { refusal: endless(maxBytes) };
  if (body === 'tooLarge') return { refusal: tooLarge(maxBytes) };
  try {
    return { text: UTF8.decode(body) };
  } catch {
    return { refusal: NOT_UTF8 };
  }
}

function tooLarge(maxBytes: number): RequestRefusal {
  const message = `The request body is larger than the limit of ${maxBytes} bytes.`;
  return { status: 413, code: 'REQUEST_TOO_LARGE', message };
}

function endless(maxBytes: number): RequestRefusal {
  return { ...tooLarge(maxBytes), headers: { Connection: 'close' } };
}

/** By events: an iterator over the request costs as much as the rest of a small query. */
function collect(request: IncomingMessage, maxBytes: number): Promise<Buffer | 'tooLarge' | 'endless'> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let bytes = 0;
    request.on('data', (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes <= maxBytes) chunks.push(chunk);
      else chunks.length = 0;
      if (bytes > MAX_DISCARDED_BYTES) {
        request.pause();
        resolve('endless');
      }
    });
    request.once('end', () => {
      if (bytes > maxBytes) resolve('tooLarge');
      else resolve(chunks.length === 1 && chunks[0] ? chunks[0] : Buffer.concat(chunks));
    });
    request.once('error', reject);
    request.once('close', () => {
      // After each request, too: an error that nobody asks for took a tenth of a small query, for its stack.
      if (!request.readableEnded) reject(new Error('The client went away before the end of its request.'));
    });
  });
}
