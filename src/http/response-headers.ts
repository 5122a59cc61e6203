import type { IncomingHttpHeaders } from 'node:http';

/**
 * How much of a response's headers is kept. What is received at all is bounded by {@link MAX_RESPONSE_HEADER_BYTES};
 * a row in the history needs less.
 */
export const RESPONSE_HEADER_LIMITS = { count: 64, valueLength: 1_024, totalLength: 8_192 } as const;

/** More than this, status line included, and the response is refused. Node's own default, set so that it stays. */
export const MAX_RESPONSE_HEADER_BYTES = 16_384;

/**
 * The headers that are kept, in the order received: the first {@link RESPONSE_HEADER_LIMITS}, values cut, repeated
 * ones joined by commas.
 */
export function boundHeaders(received: IncomingHttpHeaders): Record<string, string> {
  const kept: Record<string, string> = {};
  let count = 0;
  let totalLength = 0;
  for (const [name, raw] of Object.entries(received)) {
    if (raw === undefined) continue;
    const value = (Array.isArray(raw) ? raw.join(', ') : raw).slice(0, RESPONSE_HEADER_LIMITS.valueLength);
    count += 1;
    totalLength += name.length + value.length;
    if (count > RESPONSE_HEADER_LIMITS.count || totalLength > RESPONSE_HEADER_LIMITS.totalLength) break;
    kept[name] = value;
  }
  return kept;
}
