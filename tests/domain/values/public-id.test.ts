import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodePublicId, encodePublicId, parsePublicId } from '../../../src/domain/values/public-id.ts';

const UUID = '0195509c-9c00-7abc-8def-0123456789ab';

describe('public ids', () => {
  it('are spelt with the kind’s prefix and 26 characters', () => {
    expect(encodePublicId('Job', UUID)).toMatch(/^job_[0-9a-z]{26}$/);
    expect(encodePublicId('Execution', UUID)).toMatch(/^exec_[0-9a-z]{26}$/);
    expect(encodePublicId('DeadLetter', UUID)).toMatch(/^dead_[0-9a-z]{26}$/);
  });

  it('convert back to their UUID', () => {
    fc.assert(
      fc.property(fc.uuid(), (uuid) => {
        expect(parsePublicId(encodePublicId('Job', uuid))).toEqual({ kind: 'Job', uuid });
      }),
    );
  });

  it('are invalid for another kind', () => {
    expect(decodePublicId('Execution', encodePublicId('Job', UUID))).toBeNull();
  });

  it('are read from no other text', () => {
    const id = encodePublicId('Job', UUID);
    const others = [
      '',
      '_',
      'job',
      'job_',
      UUID,
      id.toUpperCase(),
      `${id}0`,
      id.slice(0, -1),
      ` ${id}`,
      `x_${id}`,
    ];
    for (const text of [...others, 'job_'.padEnd(30, 'z'), 'x'.repeat(1_000_000)]) {
      expect(parsePublicId(text)).toBeNull();
    }
    fc.assert(
      fc.property(fc.string(), (text) => {
        expect(parsePublicId(text)).toBeNull();
      }),
    );
  });

  it('sort as their UUIDs do', () => {
    fc.assert(
      fc.property(fc.uuid({ version: 7 }), fc.uuid({ version: 7 }), (a, b) => {
        expect(encodePublicId('Job', a) < encodePublicId('Job', b)).toBe(a < b);
      }),
    );
  });
});
