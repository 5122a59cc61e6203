import { buildSchema, type GraphQLError, parse } from 'graphql';
import { describe, expect, it } from 'vitest';
import { selfIterator } from '../../../src/async/step-source.ts';
import type { Delivery } from '../../../src/server/websocket/delivery.ts';
import { createPeerLimits } from '../../../src/server/limits/peer-limits.ts';
import { createSharedResults } from '../../../src/server/websocket/shared-results.ts';
import { createSubscribe } from '../../../src/server/websocket/subscribe.ts';
import { createGate } from '../../support/target-server.ts';
import { until } from '../../support/until.ts';
import { smallSchema } from '../small-schema.ts';
import { viewerNamed } from '../../support/viewers.ts';

const UNLIMITED = createPeerLimits({ maxWebsocketsPerAddress: 1_000, maxSubscriptionsPerAddress: 1_000 });
const SMALL = { bytesOf: () => 0, enterResult: () => null };
const ADA = { viewer: viewerNamed('ada'), address: null };
const subscribe = createSubscribe(
  createSharedResults((error) => error as GraphQLError),
  UNLIMITED,
  SMALL,
);

async function follow(query: string, delivery: Delivery = {}, by = subscribe) {
  const small = smallSchema();
  const results = await by({ schema: small.schema, document: parse(query) }, delivery, ADA);
  if (!(Symbol.asyncIterator in results)) throw new Error(JSON.stringify(results));
  return { ...small, results, delivery };
}

describe('a subscription', () => {
  it('is at the cursor of its last event once that is handed over, and nowhere while one is on its way', async () => {
    const gate = createGate();
    const turns = { enter: () => gate.opened, leave: () => undefined };
    const { letters, results, delivery } = await follow('subscription { letter { name } }', { turns });
    expect(delivery.position?.()).toBeNull();
    const first = results.next();
    letters.push('a');
    await until(() => letters.pulled > 0);
    expect(delivery.position?.()).toBeNull();
    gate.open();
    expect((await first).value).toEqual({ data: { letter: { name: 'a' } } });
    expect(delivery.position?.()).toBe('cursor-a');
    const second = results.next();
    letters.push('b');
    await second;
    expect(delivery.position?.()).toBe('cursor-b');
  });

  it('makes no result for a client that left while it waited for its turn', async () => {
    const gate = createGate();
    let entered = 0;
    let left = 0;
    const enter = () => {
      entered += 1;
      return gate.opened;
    };
    const leave = () => (left += 1);
    const { ticks, results } = await follow('subscription { tick }', { turns: { enter, leave } });
    const waiting = results.next();
    ticks.push('never sent');
    await until(() => entered === 1);
    await results.return?.();
    gate.open();
    expect(await waiting).toEqual({ done: true, value: undefined });
    expect(await results.next()).toEqual({ done: true, value: undefined });
    expect(ticks.returned).toBe(1);
    expect(left).toBe(1);
  });

  it.each([
    ['is made', () => Promise.resolve({ result: {}, json: Buffer.from('{}') })],
    ['fails', () => Promise.reject(new Error('late'))],
  ])('gives nothing to a client that left before a result of its own %s', async (_what, outcome) => {
    const gate = createGate();
    let asked = 0;
    const make = async () => {
      asked += 1;
      await gate.opened;
      return outcome();
    };
    const lateResults = createSubscribe({ join: () => ({ make, leave: () => undefined }) }, UNLIMITED, SMALL);
    const { ticks, results } = await follow('subscription { tick }', {}, lateResults);
    const waiting = results.next();
    ticks.push('never sent');
    await until(() => asked === 1);
    await results.return?.();
    gate.open();
    expect(await waiting).toEqual({ done: true, value: undefined });
  });

  it('tells nothing of a source that fails when its client has left', async () => {
    const gate = createGate();
    const next = async (): Promise<never> => {
      await gate.opened;
      throw new Error('late');
    };
    const tick = () => ({ next, [Symbol.asyncIterator]: selfIterator });
    const schema = buildSchema('type Query { a: Int } type Subscription { tick: String }');
    const document = parse('subscription { tick }');
    const results = await subscribe({ schema, document, rootValue: { tick } }, {}, ADA);
    if (!(Symbol.asyncIterator in results)) throw new Error(JSON.stringify(results));
    const waiting = results.next();
    await results.return?.();
    gate.open();
    expect(await waiting).toEqual({ done: true, value: undefined });
  });

  it('answers calls of `next` that overlap in their order', async () => {
    const { ticks, results } = await follow('subscription { tick }');
    const both = Promise.all([results.next(), results.next()]);
    ticks.push('first');
    ticks.push('second');
    expect((await both).map(({ value }) => (value as { data: unknown }).data)).toEqual([
      { tick: 'first' },
      { tick: 'second' },
    ]);
  });

  it('is over when its source fails', async () => {
    const { ticks, results } = await follow('subscription { tick }');
    const failing = results.next();
    await until(() => ticks.pulled > 0);
    ticks.fail(new Error('lost'));
    await expect(failing).rejects.toThrow('lost');
    expect(await results.next()).toEqual({ done: true, value: undefined });
  });

  it('keeps no variables but those that its operation declares, whoever else holds them', async () => {
    const { schema } = smallSchema();
    const document = parse(`
      subscription Followed($shown: Boolean!, $left: Boolean) {
        letter { name @include(if: $shown) other: name @skip(if: $left) } }
      query Other($heavy: Boolean!) { hello @include(if: $heavy) }`);
    const variableValues = { shown: true, heavy: 'x', more: ['y'] };
    const args = { schema, document, operationName: 'Followed', variableValues };
    const results = await subscribe(args, {}, ADA);
    expect(variableValues).toEqual({ shown: true });
    if (Symbol.asyncIterator in results) await results.return?.();
  });

  it('that cannot begin is a result with errors', async () => {
    const { schema } = smallSchema();
    const document = parse('subscription { faultAtStart }');
    const result = await subscribe({ schema, document }, {}, ADA);
    expect(result).toMatchObject({ errors: [{ path: ['faultAtStart'] }] });
  });
});
