import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createTextCollector } from '../../src/http/text-collector.ts';

function collect(chunks: readonly Uint8Array[], maxLength = 5_000, contentType?: string) {
  const collector = createTextCollector(contentType, maxLength);
  for (const chunk of chunks) if (collector.add(chunk)) break;
  return collector.finish();
}

describe('createTextCollector', () => {
  it('keeps exactly the limit and calls it whole', () => {
    expect(collect([Buffer.from('a'.repeat(5_000))])).toEqual({ text: 'a'.repeat(5_000), truncated: false });
  });

  it('cuts what is above the limit and says so', () => {
    expect(collect([Buffer.from('a'.repeat(5_001))])).toEqual({ text: 'a'.repeat(5_000), truncated: true });
  });

  it('asks for no more once the limit is passed', () => {
    const collector = createTextCollector(undefined, 3);
    expect([
      collector.add(Buffer.from('ab')),
      collector.add(Buffer.from('c')),
      collector.add(Buffer.from('d')),
    ]).toEqual([false, false, true]);
  });

  it('puts together characters that were split between chunks', () => {
    const bytes = Buffer.from('aé€😀z');
    const text = collect([...bytes].map((byte) => Uint8Array.of(byte)));
    expect(text).toEqual({ text: 'aé€😀z', truncated: false });
  });

  it('does not cut a character in two', () => {
    expect(collect([Buffer.from('ab😀')], 3)).toEqual({ text: 'ab', truncated: true });
    expect(collect([Buffer.from('a😀b')], 3)).toEqual({ text: 'a😀', truncated: true });
  });

  it.each([
    ['text/html; charset=iso-8859-1', Buffer.from('größe', 'latin1')],
    ['text/plain; charset="utf-16le"', Buffer.from('größe', 'utf16le')],
    ['text/plain; charset=no-such-thing', Buffer.from('größe')],
    ['text/plain', Buffer.from('größe')],
  ])('reads %s by its charset', (contentType, bytes) => {
    expect(collect([bytes], 100, contentType).text).toBe('größe');
  });

  it.each(['iso-8859-1', 'us-ascii', 'windows-1252'])(
    'reads what all browsers take %s for, however it is split',
    (charset) => {
      const bytes = Buffer.from([0x80, 0x20, 0x93, 0x94]);
      const type = `text/plain; charset=${charset}`;
      expect(collect([bytes], 100, type).text).toBe('€ “”');
      expect(collect([bytes.subarray(0, 1), bytes.subarray(1)], 100, type).text).toBe('€ “”');
    },
  );

  it('makes any bytes into text that PostgreSQL can store', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 30 })), fc.nat(40), (chunks, maxLength) => {
        const { text } = collect(chunks, maxLength);
        expect(text.isWellFormed()).toBe(true);
        expect(text).not.toContain('\0');
        expect(text.length).toBeLessThanOrEqual(maxLength);
      }),
    );
  });
});
