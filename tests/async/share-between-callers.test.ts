import { describe, expect, it } from 'vitest';
import { shareBetweenCallers } from '../../src/async/share-between-callers.ts';
import { createGate } from '../support/target-server.ts';

describe('callers that share', () => {
  it('get the result of the running call, and of a new call after it has ended', async () => {
    const gate = createGate();
    let runs = 0;
    const shared = shareBetweenCallers(async () => {
      runs += 1;
      const run = runs;
      await gate.opened;
      return run;
    });
    const asked = [shared(), shared(), shared()];
    gate.open();
    expect(await Promise.all(asked)).toEqual([1, 1, 1]);
    expect(await shared()).toBe(2);
  });

  it('all get its failure, and later callers do not', async () => {
    let runs = 0;
    const shared = shareBetweenCallers(() => {
      runs += 1;
      return runs === 1 ? Promise.reject(new Error('away')) : Promise.resolve('back');
    });
    const asked = [shared(), shared()];
    for (const one of asked) await expect(one).rejects.toThrow('away');
    expect(await shared()).toBe('back');
  });
});
