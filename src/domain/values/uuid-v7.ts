import { randomUUID } from 'node:crypto';

/**
 * Draws a UUID in v7 layout (RFC 9562, section 5.7): 48 bits of Unix milliseconds, then randomness, so that keys
 * made one after the other lie beside each other in an index.
 */
export function newUuidV7(now: Date): string {
  const time = now.getTime().toString(16).padStart(12, '0');
  // A v4 UUID has its version and its variant where v7 has them, and randomness in what follows the version.
  return `${time.slice(0, 8)}-${time.slice(8)}-7${randomUUID().slice(15)}`;
}

/** Lays out a v7 UUID from its time and the 10 bytes behind it; version and variant bits are set here. */
export function uuidV7(unixMs: number, tail: Uint8Array): string {
  const bytes = Buffer.alloc(16);
  bytes.writeUIntBE(unixMs, 0, 6);
  bytes.set(tail.subarray(0, 10), 6);
  bytes[6] = 0x70 | ((bytes[6] ?? 0) & 0x0f);
  bytes[8] = 0x80 | ((bytes[8] ?? 0) & 0x3f);
  const hex = bytes.toString('hex');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}
