import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeCursor, encodeCursor } from '../../src/events/cursor.ts';

const epochs = fc.stringMatching(/^[0-9a-z]{1,32}$/);
const positions = fc.bigInt({ min: 0n, max: 2n ** 59n });

describe('a cursor', () => {
  it('is decoded unchanged, and uses only characters that are safe in URLs and shells', () => {
    fc.assert(
      fc.property(epochs, positions, (epoch, position) => {
        const text = encodeCursor({ epoch, position });
        expect(text).toMatch(/^[A-Za-z0-9_-]{1,128}$/);
        expect(decodeCursor(text)).toEqual({ epoch, position });
      }),
    );
  });

  it.each([
    '',
    'garbage',
    'null',
    '💥',
    'x'.repeat(10_000_000),
    encode('1.abc'),
    encode('1.abc.'),
    encode('1.abc.-1'),
    encode('1.abc.01'),
    encode('1.abc.1.2'),
    encode('1.abc.99999999999999999999'),
    encode('1.ABC.1'),
    encode('1..1'),
    encode(`1.${'a'.repeat(33)}.1`),
    encode('2.abc.1'),
    encode(' 1.abc.1'),
    encode('1.abc.1\n'),
  ])('is null for text that this version did not write (%#)', (text) => {
    expect(decodeCursor(text)).toBeNull();
  });

  it('is read without an exception for any text', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 90 }), (bytes) => {
        const text = Buffer.from(bytes).toString('base64url');
        const cursor = decodeCursor(text);
        expect(cursor === null || cursor.position >= 0n).toBe(true);
      }),
    );
  });
});

function encode(text: string): string {
  return Buffer.from(text).toString('base64url');
}
