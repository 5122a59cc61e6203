import { parse } from 'graphql';
import { describe, expect, it } from 'vitest';
import { createQueryCoalescing } from '../../../src/server/http/query-coalescing.ts';
import type { RequestFacts } from '../../../src/server/http/request-facts.ts';

const document = parse('query ($n: Int) { jobs(first: $n) { totalCount } }');
const facts: RequestFacts = { requestId: 'r', actor: 'ann', address: null, lastEventId: null };

/** Answers with how many were answered before. */
function counting() {
  let count = 0;
  const ask = createQueryCoalescing(() => Promise.resolve(count++));
  return { ask, asked: () => count };
}

describe('queries that come in one turn', () => {
  it('are answered once where they ask the same for the same actor', async () => {
    const { ask, asked } = counting();
    const answers = [
      ask(document, { variables: { n: 1 } }, facts),
      ask(document, { variables: { n: 1 } }, { ...facts, requestId: 's' }),
    ];
    expect(await Promise.all(answers)).toEqual([0, 0]);
    expect(asked()).toBe(1);
  });

  it.each<[what: string, ...Parameters<ReturnType<typeof counting>['ask']>]>([
    ['variables', document, { variables: { n: 2 } }, facts],
    ['operations', document, { variables: { n: 1 }, operationName: 'B' }, facts],
    ['documents', parse('{ jobs { totalCount } }'), { variables: { n: 1 } }, facts],
    ['actors', document, { variables: { n: 1 } }, { ...facts, actor: 'bob' }],
  ])('are answered by themselves where they have other %s', async (_what, ...other) => {
    const { ask, asked } = counting();
    await Promise.all([ask(document, { variables: { n: 1 } }, facts), ask(...other)]);
    expect(asked()).toBe(2);
  });

  it('are not answered before the turn is over, so that nobody misses what was written before they asked', async () => {
    let written = 0;
    const ask = createQueryCoalescing(() => Promise.resolve(written));
    const early = ask(document, {}, facts);
    await Promise.resolve();
    written = 1;
    const late = ask(document, {}, facts);
    expect(await Promise.all([early, late])).toEqual([1, 1]);
  });

  it('are answered anew in the next turn, while the first answer is still being made as well', async () => {
    let count = 0;
    const never = new Promise<number>(() => undefined);
    const ask = createQueryCoalescing(() => (count++ === 0 ? never : Promise.resolve(count)));
    void ask(document, {}, facts);
    await new Promise(setImmediate);
    expect(await ask(document, {}, facts)).toBe(2);
  });

  it('all hear of a failure, and whoever comes later does not', async () => {
    let count = 0;
    const ask = createQueryCoalescing(() =>
      count++ === 0 ? Promise.reject(new Error('away')) : Promise.resolve('back'),
    );
    const answers = [ask(document, {}, facts), ask(document, {}, facts)];
    for (const answer of answers) await expect(answer).rejects.toThrow('away');
    expect(await ask(document, {}, facts)).toBe('back');
  });
});
