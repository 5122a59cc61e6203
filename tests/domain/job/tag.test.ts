import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  normalizeTagColor,
  normalizeTagName,
  readTagName,
  readTagNames,
} from '../../../src/domain/job/tag.ts';

describe('the name of a tag', () => {
  it.each([
    ['Team A', 'team a'],
    ['  team \t\n a  ', 'team a'],
    ['TEAM\u00a0A', 'team a'],
    ['Cafe\u0301', 'caf\u00e9'],
    ['ÜBER', 'über'],
    ['env:Prod/eu', 'env:prod/eu'],
  ])('%j is spelled %j', (text, name) => {
    expect(readTagName(text)).toEqual({ ok: true, name });
  });

  it('has one spelling: a normalized name does not change', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 80 }), (text) => {
        const name = normalizeTagName(text);
        expect(normalizeTagName(name)).toBe(name);
      }),
      { numRuns: 1_000 },
    );
  });

  it.each([
    ['nothing', '', /1 to 64/],
    ['white space', ' \n ', /1 to 64/],
    ['65 characters', 'x'.repeat(65), /1 to 64/],
    ['ten million characters', 'x'.repeat(10_000_000), /1 to 64/],
    ['NUL', 'a\0b', /NUL/],
    ['half of a surrogate pair', 'a\ud800', /surrogate/],
    ['a control character', 'a\u0007b', /cannot be seen/],
    ['a mark that turns the direction of writing', 'a\u202eb', /cannot be seen/],
  ])('may not be of %s', (_what, text, message) => {
    const read = readTagName(text);
    expect(read.ok ? '' : read.message).toMatch(message);
  });

  it('has up to 64 characters as a person counts them', () => {
    expect(readTagName('🏷'.repeat(64)).ok).toBe(true);
    expect(readTagName('🏷'.repeat(65)).ok).toBe(false);
  });
});

describe('a list of names', () => {
  it('contains each once, sorted by code point', () => {
    expect(readTagNames(['b', 'B ', '\u{1f3f7}', '\uffe6', 'a'], ['tags'])).toEqual({
      names: ['a', 'b', '\uffe6', '\u{1f3f7}'],
      issues: [],
    });
  });

  it('names each wrong entry', () => {
    const { issues } = readTagNames(['a', '', 'b', 'c\0'], ['input', 'tags']);
    expect(issues.map(({ path }) => path)).toEqual([
      ['input', 'tags', '1'],
      ['input', 'tags', '3'],
    ]);
  });

  it('may have 50 entries', () => {
    const names = Array.from({ length: 51 }, (_, index) => `tag ${index}`);
    expect(readTagNames(names.slice(1), ['tags'])).toMatchObject({ issues: [] });
    expect(readTagNames(names, ['tags']).issues).toEqual([
      { path: ['tags'], message: 'Lists 51 tags; allowed are 50.' },
    ]);
  });
});

describe('the color of a tag', () => {
  it('is six hexadecimal digits in lower case', () => {
    expect(normalizeTagColor('#1F6FEB')).toBe('#1f6feb');
    const others = ['', 'red', '#fff', '#12345g', '1f6feb', '#1f6feb\n', '#1f6feb00', '#'.repeat(1_000_000)];
    for (const text of others) {
      expect(normalizeTagColor(text)).toBeNull();
    }
  });
});
