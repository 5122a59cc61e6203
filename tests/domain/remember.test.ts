import { describe, expect, it } from 'vitest';
import { remember } from '../../src/domain/remember.ts';

describe('what a function has found for a text', () => {
  it('is kept, also where it is nothing', () => {
    const asked: string[] = [];
    const find = remember((text) => {
      asked.push(text);
      return text === 'nothing' ? undefined : text.length;
    });
    expect(['four', 'nothing', 'four', 'nothing'].map(find)).toEqual([4, undefined, 4, undefined]);
    expect(asked).toEqual(['four', 'nothing']);
  });

  it('is forgotten when there are many others, unless it is asked for again and again', () => {
    const asked: string[] = [];
    const find = remember((text) => asked.push(text));
    find('once');
    find('often');
    for (let other = 0; other < 5_000; other += 1) {
      find(`other ${other}`);
      find('often');
    }
    asked.length = 0;
    find('often');
    find('once');
    expect(asked).toEqual(['once']);
  });

  it('is not kept for long texts', () => {
    let asked = 0;
    const find = remember((text) => {
      asked += 1;
      return text.length;
    });
    expect([find('x'.repeat(2_049)), find('x'.repeat(2_049)), asked]).toEqual([2_049, 2_049, 2]);
  });
});
