import { describe, expect, it } from 'vitest';
import { createLimiter } from '../../src/async/limiter.ts';
import { createGate } from '../support/target-server.ts';

/** Work that runs until the test ends it. */
function pieces(turns: ReturnType<typeof createLimiter>, count: number) {
  const started: number[] = [];
  const gates = Array.from({ length: count }, createGate);
  const results = gates.map((gate, index) =>
    turns.take(async () => {
      started.push(index);
      await gate.opened;
      return index;
    }),
  );
  return { started, results, finish: (index: number) => gates[index]?.open() };
}

const nextTurn = () => new Promise((resolve) => setImmediate(resolve));

describe('turns', () => {
  it('are taken by a limited number at once, and by the others in their order', async () => {
    const { started, results, finish } = pieces(createLimiter(2), 4);
    await nextTurn();
    expect(started).toEqual([0, 1]);
    finish(1);
    await results[1];
    await nextTurn();
    expect(started).toEqual([0, 1, 2]);
    for (const index of [0, 2, 3]) finish(index);
    expect(await Promise.all(results)).toEqual([0, 1, 2, 3]);
  });

  it('wait for room, and continue when room is reported', async () => {
    let room = 1;
    const turns = createLimiter(10, () => room > 0);
    const { started } = pieces(turns, 1);
    room = 0;
    const later = pieces(turns, 2);
    await nextTurn();
    expect([started, later.started]).toEqual([[0], []]);
    room = 1;
    turns.goOn();
    await nextTurn();
    expect(later.started).toEqual([0, 1]);
  });

  it('see the room that is left after the effects of the work before them', async () => {
    let held = 0;
    const turns = createLimiter(1, () => held < 2);
    const work = async () => {
      await nextTurn();
      held += 1;
      return held;
    };
    const results = [turns.take(work), turns.take(work), turns.take(work)];
    expect(await Promise.all(results.slice(0, 2))).toEqual([1, 2]);
    await nextTurn();
    await nextTurn();
    expect(held).toBe(2);
    held = 0;
    turns.goOn();
    expect(await results[2]).toBe(1);
  });

  it('are not passed on between the end of the work and its effects', async () => {
    let held = 0;
    const turns = createLimiter(1, () => held < 1);
    const first = turns.take(() => Promise.resolve('made'));
    const isSecondMade = first.then(() => turns.take(() => Promise.resolve((held += 1))));
    await first;
    held += 1;
    await nextTurn();
    await nextTurn();
    expect(held).toBe(1);
    held = 0;
    turns.goOn();
    expect(await isSecondMade).toBe(1);
  });

  it('are passed on when work fails', async () => {
    const turns = createLimiter(1);
    const failing = turns.take(() => Promise.reject(new Error('no')));
    const next = turns.take(() => Promise.resolve('yes'));
    await expect(failing).rejects.toThrow('no');
    expect(await next).toBe('yes');
  });
});
