import {
  buildSchema,
  type ExecutionArgs,
  GraphQLError,
  type GraphQLObjectType,
  type GraphQLSchema,
  parse,
} from 'graphql';
import { describe, expect, it } from 'vitest';
import { createErrorMask } from '../../../src/server/http/error-mask.ts';
import { MAX_SHARED_RESULT_BYTES, SHARED_RESULT_MS } from '../../../src/server/limits/limits.ts';
import { createSharedResults, type ResultMaker } from '../../../src/server/websocket/shared-results.ts';

/** A feed whose result shows who asked for it, and how often results were made. */
function scene() {
  const schema = buildSchema(`
    type Query { no: Int }
    type Event { value: String, viewer: String, echo(text: String): String, fault: Int, slow: String }
    type Subscription { events(where: String, after: String): Event }`);
  let executions = 0;
  resolve(schema, 'Subscription', 'events', (event) => {
    executions += 1;
    return event;
  });
  resolve(schema, 'Event', 'viewer', (_event, _args, { facts }) => facts.actor);
  resolve(schema, 'Event', 'echo', (_event, { text }) => text ?? 'nothing');
  resolve(schema, 'Event', 'fault', () => {
    throw new Error('secret');
  });
  resolve(schema, 'Event', 'slow', () => Promise.resolve('at last'));
  const errorIds: string[] = [];
  const log = { debug: noop, info: noop, warn: noop, error: noop };
  const maskError = createErrorMask({
    log,
    newId: () => {
      errorIds.push(`error-${errorIds.length}`);
      return errorIds.at(-1) ?? '';
    },
    isUnavailable: () => false,
    schema,
  });
  let nowMs = 0;
  const shared = createSharedResults(maskError, () => nowMs);
  const documents = new Map<string, ReturnType<typeof parse>>();
  return {
    shared,
    executions: () => executions,
    errorIds,
    pass: (ms: number) => (nowMs += ms),
    join: (query: string, { actor = 'ada', variables = {} }: { actor?: string; variables?: object } = {}) => {
      const document = documents.get(query) ?? parse(query);
      documents.set(query, document);
      const args = { schema, document, variableValues: variables, contextValue: { facts: { actor } } };
      return shared.join(args as ExecutionArgs, actor);
    },
  };
}

type Resolver = (event: object, args: { text?: string }, context: { facts: { actor: string } }) => unknown;

function resolve(schema: GraphQLSchema, type: string, field: string, resolver: Resolver): void {
  const { [field]: definition } = (schema.getType(type) as GraphQLObjectType).getFields();
  if (definition) definition.resolve = resolver as never;
}

function noop(): void {
  // Nothing is said in these tests.
}

const told = async (maker: ResultMaker, event: unknown) => (await maker.make(event)).json.toString();

const PLAIN =
  'subscription ($after: String, $text: String) { events(after: $after) { value viewer echo(text: $text) } }';

describe('results of subscriptions', () => {
  it('are made once for all that ask the same, wherever each began', async () => {
    const { join, executions } = scene();
    const makers = ['a', 'b', null].map((after) => join(PLAIN, { variables: { after } }));
    const event = { value: 'one' };
    const texts = await Promise.all(makers.map((maker) => told(maker, event)));
    expect(new Set(texts)).toEqual(
      new Set(['{"data":{"events":{"value":"one","viewer":"ada","echo":"nothing"}}}']),
    );
    expect(executions()).toBe(1);
    await told(join(PLAIN), { value: 'one' });
    expect(executions()).toBe(2);
  });

  it('are made once while they are being made, too', async () => {
    const { join, executions } = scene();
    const [one, other] = [join('subscription { events { slow } }'), join('subscription { events { slow } }')];
    const event = {};
    expect(one.make(event)).toBe(other.make(event));
    expect(await told(one, event)).toBe('{"data":{"events":{"slow":"at last"}}}');
    expect(executions()).toBe(1);
  });

  it('are nobody else’s than the viewer’s', async () => {
    const { join } = scene();
    const event = { value: 'one' };
    const makers = ['ada', 'bob', 'ada'].map((actor) => join(PLAIN, { actor }));
    const texts = await Promise.all(makers.map((maker) => told(maker, event)));
    expect(texts.map((text) => /"viewer":"(\w+)"/.exec(text)?.[1])).toEqual(['ada', 'bob', 'ada']);
  });

  it.each([
    ['other values of variables', { text: 'x' }, { text: 'y' }],
    ['a null in the place of nothing', { text: null }, {}],
  ])('differ with %s', async (_what, one, other) => {
    const { join, executions } = scene();
    const event = { value: 'one' };
    const makers = [one, other, one, other].map((variables) => join(PLAIN, { variables }));
    for (const maker of makers) await told(maker, event);
    expect(executions()).toBe(2);
  });

  it('differ with variables of directives and of fragments', async () => {
    const { join, executions } = scene();
    const query = `subscription ($flag: Boolean = true, $text: String) { events(where: $text) { ...F value @include(if: $flag) } }
      fragment F on Event { echo(text: $text) }`;
    const event = { value: 'one' };
    const makers = [{ flag: true }, { flag: false }, { text: 'x' }].map((variables) =>
      join(query, { variables }),
    );
    const texts = await Promise.all(makers.map((maker) => told(maker, event)));
    expect(new Set(texts).size).toBe(3);
    expect(executions()).toBe(3);
  });

  it('are made anew after a while, since what is read with an event is as it is when it is delivered', async () => {
    const { join, executions, pass } = scene();
    const [one, other] = [join(PLAIN), join(PLAIN)];
    const event = { value: 'one' };
    await told(one, event);
    pass(SHARED_RESULT_MS);
    await told(other, event);
    expect(executions()).toBe(1);
    pass(1);
    await told(other, event);
    expect(executions()).toBe(2);
  });

  it('are kept up to a bound, the oldest dropped first', async () => {
    const { join, executions } = scene();
    const [one, other] = [join(PLAIN), join(PLAIN)];
    const events = [0, 1, 2].map(() => ({ value: 'x'.repeat(0.4 * MAX_SHARED_RESULT_BYTES) }));
    for (const event of events) await told(one, event);
    for (const event of events.slice(1)) await told(other, event);
    expect(executions()).toBe(3);
    await told(other, events[0]);
    expect(executions()).toBe(4);
  });

  it('have their errors masked, once for all', async () => {
    const { join, errorIds } = scene();
    const makers = [1, 2, 3].map(() => join('subscription { events { value fault } }'));
    const event = { value: 'one' };
    const texts = await Promise.all(makers.map((maker) => told(maker, event)));
    expect(texts[0]).toContain('"errorId":"error-0"');
    expect(texts[0]).not.toContain('secret');
    expect(new Set(texts).size).toBe(1);
    expect(errorIds).toHaveLength(1);
  });

  it('are not kept for one who is alone, nor for those who have left', async () => {
    const { join, executions } = scene();
    const alone = join(PLAIN);
    const event = { value: 'one' };
    await told(alone, event);
    await told(alone, event);
    expect(executions()).toBe(2);
    const guest = join(PLAIN);
    await told(guest, event);
    await told(alone, event);
    expect(executions()).toBe(3);
    alone.leave();
    guest.leave();
    await Promise.all([join(PLAIN), join(PLAIN)].map((maker) => told(maker, event)));
    expect(executions()).toBe(4);
  });

  it('of plain values are each made by itself: two equal ones may be two events', async () => {
    const { join, executions } = scene();
    const makers = [join('subscription { events { viewer } }'), join('subscription { events { viewer } }')];
    for (const maker of makers) await told(maker, 'tick');
    expect(executions()).toBe(2);
  });

  it('that cannot be masked are no results for anybody', () => {
    const failing = createSharedResults(() => {
      throw new GraphQLError('broken');
    });
    const schema = buildSchema('type Query { a: Int } type Subscription { events: Int! }');
    const document = parse('subscription { events }');
    const makers = [1, 2].map(() => failing.join({ schema, document }, 'ada'));
    for (const maker of makers) expect(() => maker.make({})).toThrow('broken');
  });
});
