import { describe, expect, it } from 'vitest';
import { createPace } from '../../src/engine/pace.ts';

describe('the pace of a host', () => {
  it('is the number of calls that ended there in the fuller of the last two windows', () => {
    const clock = { nowMs: 0 };
    const pace = createPace(() => clock.nowMs);
    for (let call = 0; call < 30; call += 1) pace.noteEnd('a');
    pace.noteEnd('b');
    expect([pace.of('a'), pace.of('b'), pace.of('c')]).toEqual([30, 1, 0]);
    clock.nowMs = 150;
    pace.noteEnd('a');
    expect([pace.of('a'), pace.of('b')]).toEqual([30, 1]);
  });

  it('is nothing where no call has ended for two windows', () => {
    const clock = { nowMs: 0 };
    const pace = createPace(() => clock.nowMs);
    pace.noteEnd('a');
    clock.nowMs = 250;
    expect(pace.of('a')).toBe(0);
  });
});
