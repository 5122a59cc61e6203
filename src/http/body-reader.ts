import type { IncomingHttpHeaders } from 'node:http';
import type { Readable, Transform } from 'node:stream';
import { createBrotliDecompress, createGunzip, createInflate, createInflateRaw } from 'node:zlib';
import { createTextCollector } from './text-collector.ts';
import type { BodyText } from './text-collector.ts';

/** Each is called at most once, and only one of them. */
export type BodyHandlers = { done: (body: BodyText) => void; failed: (error: Error) => void };

/**
 * Reads a response's body as text, decompressed, until its end or until there is more than is kept.
 *
 * It never reads ahead of what it needs: the source is held while the decompressor is busy, since a small input may
 * be a very large output. Errors of the source itself are the caller's to hear.
 *
 * Decompression is done here and not by got so that it can be stopped: what got uses is left behind, with what it
 * still holds, when a call is given up halfway.
 *
 * @returns a function that lets go of the decompressor; the source is the caller's to destroy
 */
export function readBody(
  source: Readable,
  headers: IncomingHttpHeaders,
  maxLength: number,
  handlers: BodyHandlers,
): () => void {
  const collector = createTextCollector(headers['content-type'], maxLength);
  let decompressor: Transform | null = null;
  let started = false;
  let finished = false;

  const finish = () => {
    if (finished) return;
    finished = true;
    handlers.done(collector.finish());
  };
  const take = (chunk: Buffer) => {
    if (!finished && collector.add(chunk)) finish();
  };
  const start = (firstChunk: Buffer) => {
    started = true;
    decompressor = createDecompressor(headers['content-encoding'], firstChunk[0] ?? 0);
    decompressor?.on('data', take).on('end', finish).on('error', handlers.failed);
  };

  source.on('data', (chunk: Buffer) => {
    // Not before the first byte: many a response is declared gzip and has no body, which no decompressor accepts.
    if (!started) start(chunk);
    if (!decompressor) take(chunk);
    else if (!decompressor.destroyed && !decompressor.write(chunk)) {
      source.pause();
      decompressor.once('drain', () => source.resume());
    }
  });
  source.on('end', () => {
    if (decompressor) decompressor.end();
    else finish();
  });
  return () => decompressor?.destroy();
}

/**
 * The decompressor for a content encoding; null where the body is not compressed, or in a way that is not known and
 * then is shown as it comes.
 *
 * @param firstByte "deflate" is in practice sent with and without the zlib header; the first byte tells which
 */
function createDecompressor(contentEncoding: string | undefined, firstByte: number): Transform | null {
  switch (contentEncoding?.trim().toLowerCase()) {
    case 'gzip':
    case 'x-gzip':
      return createGunzip();
    case 'deflate':
      return (firstByte & 0x0f) === 8 ? createInflate() : createInflateRaw();
    case 'br':
      return createBrotliDecompress();
    default:
      return null;
  }
}
