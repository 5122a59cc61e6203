import { describe, expect, it } from 'vitest';
import { cutText } from '../../../src/domain/values/text.ts';

describe('cutText', () => {
  it('keeps a text that fits', () => {
    expect(cutText('😀', 2)).toBe('😀');
  });

  it('never splits a character', () => {
    expect(cutText('a😀', 2)).toBe('a');
    expect(cutText('😀a', 2)).toBe('😀');
  });
});
