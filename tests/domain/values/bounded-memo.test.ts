import { describe, expect, it } from 'vitest';
import { boundedMemo } from '../../../src/domain/values/bounded-memo.ts';

describe('a bounded memo', () => {
  it('keeps answers, also empty ones', () => {
    const asked: string[] = [];
    const find = boundedMemo(10, (text) => {
      asked.push(text);
      return text === 'nothing' ? null : text.length;
    });
    expect(['four', 'nothing', 'four', 'nothing'].map(find)).toEqual([4, null, 4, null]);
    expect(asked).toEqual(['four', 'nothing']);
  });

  it('forgets the oldest key when it is full', () => {
    const asked: string[] = [];
    const find = boundedMemo(2, (text) => asked.push(text));
    for (const text of ['a', 'b', 'c', 'b', 'c']) find(text);
    expect(asked).toEqual(['a', 'b', 'c']);
    find('a');
    expect(asked).toEqual(['a', 'b', 'c', 'a']);
  });

  it('does not keep long keys', () => {
    let asked = 0;
    const find = boundedMemo(10, (text) => {
      asked += 1;
      return text.length;
    });
    expect([2_048, 2_048, 2_049, 2_049].map((length) => find('x'.repeat(length)))).toEqual([
      2_048, 2_048, 2_049, 2_049,
    ]);
    expect(asked).toBe(3);
  });
});
