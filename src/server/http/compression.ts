import { promisify } from 'node:util';
import { brotliCompress, type BrotliOptions, constants, gzip } from 'node:zlib';
import { MIN_COMPRESSED_BYTES } from '../limits/limits.ts';

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

/** A body as it is sent. */
interface EncodedBody {
  body: string | Buffer;
  bytes: number;
  /** Null where it is not compressed. */
  encoding: Encoding | null;
}

/** An answer that may be sent to several, each in what they accept; see {@link compressible}. */
export type Compressible = (accepted: string | undefined) => Promise<EncodedBody>;

/**
 * Compresses an answer where that is worth it, once for all who like the same encoding. On a thread of its own: the event
 * loop goes on.
 *
 * That an answer becomes shorter where a guess repeats what stands beside it (BREACH) gives nothing away here: the API
 * knows no cookies, by which a strange page could ask in its reader's name, and answers hold no secrets: those in jobs'
 * requests are shown as `***`.
 */
export function compressible(text: string): Compressible {
  const bytes = Buffer.byteLength(text);
  const known = new Map<Encoding, Promise<EncodedBody>>();
  return (accepted) => {
    const encoding = bytes < MIN_COMPRESSED_BYTES ? null : chooseEncoding(accepted);
    if (encoding === null) return Promise.resolve({ body: text, bytes, encoding });
    const encoded = known.get(encoding) ?? encode(text, bytes, encoding);
    known.set(encoding, encoded);
    return encoded;
  };
}

async function encode(text: string, textBytes: number, encoding: Encoding): Promise<EncodedBody> {
  const body = await (encoding === 'gzip' ? gzipped(text) : brotlied(text, brotliOptions(textBytes)));
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
