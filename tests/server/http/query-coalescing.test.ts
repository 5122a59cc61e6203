import { buildSchema, type ExecutionResult, parse } from 'graphql';
import { describe, expect, it } from 'vitest';
import { createQueryCoalescing } from '../../../src/server/http/query-coalescing.ts';
import { viewerNamed } from '../../support/viewers.ts';

const schema = buildSchema('type Query { jobs: Int } type Mutation { bump: Int }');
const document = parse('query ($n: Int) { jobs(first: $n) { totalCount } }');
const here = () => false;
const ann = { viewer: viewerNamed('ann'), isGone: here };
const args = { schema, document, variableValues: { n: 1 } };
const resultOf = (value: unknown): ExecutionResult => ({ data: { value } });

/** Answers with how many were answered before. */
function counting() {
  let count = 0;
  const ask = createQueryCoalescing(() => Promise.resolve(resultOf(count++)));
  return { ask, asked: () => count };
}

describe('queries that come in one turn', () => {
  it('are the only operations that are: each mutation is run by itself', async () => {
    const { ask, asked } = counting();
    const mutation = { schema, document: parse('mutation { bump }') };
    await Promise.all([ask(mutation, ann), ask(mutation, ann)]);
    expect(asked()).toBe(2);
  });

  it('are answered once where they ask the same for the same viewer', async () => {
    const { ask, asked } = counting();
    const answers = [ask(args, ann), ask({ ...args }, { viewer: viewerNamed('ann'), isGone: here })];
    expect(await Promise.all(answers)).toEqual([resultOf(0), resultOf(0)]);
    expect(asked()).toBe(1);
  });

  it.each<[what: string, ...Parameters<ReturnType<typeof counting>['ask']>]>([
    ['variables', { ...args, variableValues: { n: 2 } }, ann],
    ['operations', { ...args, operationName: 'B' }, ann],
    ['documents', { ...args, document: parse('{ jobs { totalCount } }') }, ann],
    ['viewers', args, { viewer: viewerNamed('bob'), isGone: here }],
  ])('are answered by themselves where they have other %s', async (_what, ...other) => {
    const { ask, asked } = counting();
    await Promise.all([ask(args, ann), ask(...other)]);
    expect(asked()).toBe(2);
  });

  it('have nobody left to read their answer once all who asked are gone', async () => {
    const gone = { ann: false, eve: false };
    let isGone: () => boolean = here;
    const ask = createQueryCoalescing((_args, areGone) => {
      isGone = areGone;
      return Promise.resolve(resultOf(1));
    });
    await Promise.all([
      ask(args, { viewer: viewerNamed('ann'), isGone: () => gone.ann }),
      ask(args, { viewer: viewerNamed('ann'), isGone: () => gone.eve }),
    ]);
    gone.ann = true;
    expect(isGone()).toBe(false);
    gone.eve = true;
    expect(isGone()).toBe(true);
  });

  it('are not answered before the turn is over, so that nobody misses what was written before they asked', async () => {
    let written = 0;
    const ask = createQueryCoalescing(() => Promise.resolve(resultOf(written)));
    const early = ask(args, ann);
    await Promise.resolve();
    written = 1;
    const late = ask(args, ann);
    expect(await Promise.all([early, late])).toEqual([resultOf(1), resultOf(1)]);
  });

  it('are answered anew in the next turn, while the first answer is still being made as well', async () => {
    let count = 0;
    const never = new Promise<ExecutionResult>(() => undefined);
    const ask = createQueryCoalescing(() => (count++ === 0 ? never : Promise.resolve(resultOf(count))));
    void ask(args, ann);
    await new Promise(setImmediate);
    expect(await ask(args, ann)).toEqual(resultOf(2));
  });

  it('all hear of a failure, and whoever comes later does not', async () => {
    let count = 0;
    const ask = createQueryCoalescing(() =>
      count++ === 0 ? Promise.reject(new Error('away')) : Promise.resolve(resultOf('back')),
    );
    const answers = [ask(args, ann), ask(args, ann)];
    for (const answer of answers) await expect(answer).rejects.toThrow('away');
    expect(await ask(args, ann)).toEqual(resultOf('back'));
  });
});
