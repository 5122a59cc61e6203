import { describe, expect, it } from 'vitest';
import { iterate } from '../../src/events/iterate.ts';
import { stepsOf, type StepSource } from '../../src/async/step-source.ts';
import { createGate } from '../support/target-server.ts';

describe('a source as an iterator', () => {
  it('returns the items of each step one by one, until the source ends', async () => {
    const { source, isClosed } = sourceOf([['a', 'b'], [], ['c']]);
    const given: string[] = [];
    for await (const item of iterate(source)) given.push(item);
    expect(given).toEqual(['a', 'b', 'c']);
    expect(isClosed()).toBe(true);
  });

  it('answers overlapping calls of `next` in their order', async () => {
    const { source } = sourceOf([['a'], ['b', 'c']]);
    const iterator = iterate(source);
    const results = await Promise.all([1, 2, 3, 4].map(() => iterator.next()));
    expect(results.map((result) => (result.done ? 'end' : result.value))).toEqual(['a', 'b', 'c', 'end']);
  });

  it('can be left at once, also during a step, and then closes its source', async () => {
    const gate = createGate();
    const { source, isClosed } = sourceOf([['a']], gate.opened);
    const iterator = iterate(source);
    const waiting = iterator.next();
    await expect(iterator.return?.()).resolves.toEqual({ done: true, value: undefined });
    expect(isClosed()).toBe(true);
    gate.open();
    expect(await waiting).toEqual({ done: true, value: undefined });
    expect(await iterator.next()).toEqual({ done: true, value: undefined });
  });

  it('reaches the position of its source once all items of the source are taken, and not before', async () => {
    const { source } = sourceOf([['a', 'b'], [], ['c']]);
    const iterator = iterate(source);
    expect(iterator.position()).toBe('step 0');
    await iterator.next();
    expect(iterator.position()).toBeNull();
    await iterator.next();
    expect(iterator.position()).toBe('step 1');
    await iterator.next();
    expect(iterator.position()).toBe('step 3');
  });

  it('drops its prepared items when it is left', async () => {
    const { source } = sourceOf([['a', 'b']]);
    const iterator = iterate(source);
    await iterator.next();
    await iterator.return?.();
    expect(await iterator.next()).toEqual({ done: true, value: undefined });
  });

  it('closes its source when a step fails, because a caller does not close an iterator that threw', async () => {
    let isClosed = false;
    const iterator = iterate({
      ...stepsOf(() => Promise.reject(new Error('The database is away.'))),
      close: () => (isClosed = true),
    });
    await expect(iterator.next()).rejects.toThrow('The database is away.');
    expect(isClosed).toBe(true);
    expect(await iterator.next()).toEqual({ done: true, value: undefined });
  });

  it('closes its source on `throw`, and throws the error again', async () => {
    const { source, isClosed } = sourceOf([['a']]);
    const iterator = iterate(source);
    await expect(iterator.throw?.('a string')).rejects.toThrow('a string');
    expect(isClosed()).toBe(true);
  });
});

function sourceOf(steps: string[][], held: Promise<void> = Promise.resolve()) {
  let closed = false;
  let given = 0;
  const source: StepSource<string> = {
    ...stepsOf(async () => {
      await held;
      given += 1;
      return steps.shift() ?? null;
    }),
    position: () => `step ${given}`,
    close: () => {
      closed = true;
    },
  };
  return { source, isClosed: () => closed };
}
