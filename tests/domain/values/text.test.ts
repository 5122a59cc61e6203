import { describe, expect, it } from 'vitest';
import { cutText } from '../../../src/domain/values/text.ts';

describe('cutText', () => {
  it('leaves a text that fits as it is', () => {
    expect(cutText('😀', 2)).toBe('😀');
  });

  it('never splits a character', () => {
    expect(cutText('a😀', 2)).toBe('a');
    expect(cutText('😀a', 2)).toBe('😀');
  });
});
