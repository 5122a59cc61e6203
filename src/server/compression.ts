import { promisify } from 'node:util';
import { brotliCompress, type BrotliOptions, constants, gzip } from 'node:zlib';
import { MIN_COMPRESSED_BYTES } from './limits.ts';

export type Encoding = 'br' | 'gzip';

/** In the order in which they are preferred where a client likes both. */
const ENCODINGS: readonly Encoding[] = ['br', 'gzip'];

/** The encoding to answer in by an `Accept-Encoding`; null for none. What a client forbids by `q=0` is not chosen. */
export function chooseEncoding(accepted: string | undefined): Encoding | null {
  const weights = new Map((accepted ?? '').split(',').map(readWeight));
  const weightOf = (encoding: string) => weights.get(encoding) ?? weights.get('*') ?? 0;
  let best: Encoding | null = null;
  for (const encoding of ENCODINGS) {
    if (weightOf(encoding) > (best === null ? 0 : weightOf(best))) best = encoding;
  }
  return best;
}

/** `gzip;q=0.5` as its name and weight; one that cannot be read weighs nothing. */
function readWeight(part: string): [name: string, weight: number] {
  const [name = '', ...parameters] = part.split(';').map((text) => text.trim().toLowerCase());
  const weight = parameters.find((parameter) => parameter.startsWith('q='))?.slice(2);
  if (weight === undefined) return [name === 'x-gzip' ? 'gzip' : name, 1];
  const value = Number(weight);
  return [name, value >= 0 && value <= 1 ? value : 0];
}

const gzipped = promisify(gzip);
const brotlied = promisify(brotliCompress);

/** Beyond it brotli takes ten times as long for a few percent: made for files that are compressed once. */
const BROTLI_QUALITY = 4;

/**
 * Compresses an answer where that is worth it. On a thread of its own: the event loop goes on.
 *
 * That an answer becomes shorter where a guess repeats what stands beside it (BREACH) gives nothing away here: the API
 * knows no cookies, by which a strange page could ask in its reader's name, and answers hold no secrets: those in jobs'
 * requests are shown as `***`.
 */
export async function compress(
  text: string,
  accepted: string | undefined,
): Promise<{ body: string | Buffer; bytes: number; encoding: Encoding | null }> {
  const bytes = Buffer.byteLength(text);
  const encoding = bytes < MIN_COMPRESSED_BYTES ? null : chooseEncoding(accepted);
  if (encoding === null) return { body: text, bytes, encoding };
  const body = await (encoding === 'gzip' ? gzipped(text) : brotlied(text, brotliOptions(bytes)));
  return { body, bytes: body.length, encoding };
}

function brotliOptions(bytes: number): BrotliOptions {
  return {
    params: {
      [constants.BROTLI_PARAM_QUALITY]: BROTLI_QUALITY,
      [constants.BROTLI_PARAM_SIZE_HINT]: bytes,
    },
  };
}
