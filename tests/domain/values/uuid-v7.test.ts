import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { newUuidV7, uuidV7 } from '../../../src/domain/values/uuid-v7.ts';

const V7 = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
const instants = fc.integer({ min: 0, max: 253_402_300_799_999 });
const tails = fc.uint8Array({ minLength: 10, maxLength: 10 });

describe('a v7 UUID', () => {
  it('has the layout of RFC 9562 and its time in front, with any bytes behind it', () => {
    fc.assert(
      fc.property(instants, tails, (unixMs, tail) => {
        const id = uuidV7(unixMs, tail);
        expect(id).toMatch(V7);
        expect(parseInt(id.slice(0, 8) + id.slice(9, 13), 16)).toBe(unixMs);
      }),
    );
  });

  it('sorts as its time does', () => {
    fc.assert(
      fc.property(instants, instants, tails, tails, (one, other, oneTail, otherTail) => {
        fc.pre(one < other);
        expect(uuidV7(one, oneTail) < uuidV7(other, otherTail)).toBe(true);
      }),
    );
  });

  it('is the example of RFC 9562, appendix A.6', () => {
    const tail = Buffer.from('0cc3' + '18c4dc0c0c07398f', 'hex');
    expect(uuidV7(0x017f22e279b0, tail)).toBe('017f22e2-79b0-7cc3-98c4-dc0c0c07398f');
  });

  it('differs on each call', () => {
    const now = new Date();
    expect(new Set(Array.from({ length: 1_000 }, () => newUuidV7(now))).size).toBe(1_000);
  });
});
