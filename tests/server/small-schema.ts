import {
  GraphQLError,
  GraphQLInt,
  GraphQLNonNull,
  GraphQLObjectType,
  GraphQLScalarType,
  GraphQLSchema,
  GraphQLString,
} from 'graphql';
import type { RequestFacts } from '../../src/server/http/request-facts.ts';

/** A subscription's source that a test feeds, and that tells how it was used. */
export type Source = {
  push: (value: string) => void;
  fail: (error: Error) => void;
  /** Ends all subscriptions there are, as complete. */
  end: () => void;
  /** Values that were asked for. */
  pulled: number;
  /** Subscribers that ended, for whatever reason. */
  returned: number;
  /** Subscribers there were in all. */
  subscribed: number;
};

export type SmallSchema = {
  schema: GraphQLSchema;
  ticks: Source;
  /** A source whose events have cursors. */
  letters: Source;
  /** A source that always has a next value, of 10 KB. */
  flood: Source;
  bumps: () => number;
  /** Lets `slow` answer. */
  openGate: () => void;
  /** Resolves once `slow` was asked. */
  slowAsked: Promise<void>;
};

/** Resolves a subscription's field to its event. */
const asItIs = (event: unknown): unknown => event;

const FLOOD_PAYLOAD = 'x'.repeat(10_000);

/** A schema with the kinds of things that a transport must carry: values, faults, refusals, waiting and live feeds. */
export function smallSchema(): SmallSchema {
  const ticks = newSource();
  const letters = newSource();
  const flood = newSource();
  let bumps = 0;
  const sink = { openGate: (): void => undefined, slowAsked: (): void => undefined };
  const gate = new Promise<void>((resolve) => (sink.openGate = resolve));
  const slowAsked = new Promise<void>((resolve) => (sink.slowAsked = resolve));

  const even = new GraphQLScalarType({
    name: 'Even',
    parseValue: (value) => {
      if (typeof value !== 'number' || value % 2 !== 0) throw new TypeError('Even numbers only');
      return value;
    },
  });
  const node: GraphQLObjectType = new GraphQLObjectType({
    name: 'Node',
    fields: () => ({
      name: { type: GraphQLString, resolve: () => 'n' },
      node: { type: node, resolve: () => ({}) },
    }),
  });
  const query = new GraphQLObjectType({
    name: 'Query',
    fields: {
      hello: { type: GraphQLString, resolve: () => 'world' },
      actor: { type: GraphQLString, resolve: (_source, _args, context: RequestFacts) => context.viewer.name },
      requestId: {
        type: GraphQLString,
        resolve: (_source, _args, context: RequestFacts) => context.requestId,
      },
      even: {
        type: GraphQLInt,
        args: { value: { type: new GraphQLNonNull(even) } },
        resolve: (_source, args: { value: number }) => args.value,
      },
      node: { type: node, resolve: () => ({}) },
      slow: {
        type: GraphQLString,
        resolve: async () => {
          sink.slowAsked();
          await gate;
          return 'done';
        },
      },
      fault: {
        type: GraphQLString,
        resolve: () => {
          throw new Error('relation "secrets" does not exist');
        },
      },
      away: { type: GraphQLString, resolve: throwAway },
      refusal: {
        type: GraphQLString,
        resolve: () => {
          throw new GraphQLError('Not for you', { extensions: { code: 'FORBIDDEN' } });
        },
      },
    },
  });
  const mutation = new GraphQLObjectType({
    name: 'Mutation',
    fields: { bump: { type: GraphQLInt, resolve: () => (bumps += 1) } },
  });
  const subscription = new GraphQLObjectType({
    name: 'Subscription',
    fields: {
      tick: { type: GraphQLString, subscribe: () => ticks.open(), resolve: asItIs },
      letter: {
        type: new GraphQLObjectType({ name: 'Letter', fields: { name: { type: GraphQLString } } }),
        subscribe: () => withCursors(letters.open()),
        resolve: asItIs,
      },
      flood: {
        type: GraphQLString,
        subscribe: () => flood.open(FLOOD_PAYLOAD),
        resolve: asItIs,
      },
      faultAtStart: {
        type: GraphQLString,
        subscribe: () => {
          throw new Error('pool of host 10.0.0.7 is closed');
        },
      },
      refusedAtStart: {
        type: GraphQLString,
        subscribe: () => {
          throw new GraphQLError('No such thing', { extensions: { code: 'BAD_USER_INPUT' } });
        },
      },
      awayAtStart: { type: GraphQLString, subscribe: throwAway },
    },
  });
  return {
    schema: new GraphQLSchema({ query, mutation, subscription }),
    ticks,
    letters,
    flood,
    bumps: () => bumps,
    openGate: () => {
      sink.openGate();
    },
    slowAsked,
  };
}

/** What is thrown where the database cannot be reached. */
function throwAway(): never {
  throw Object.assign(new Error('connect ECONNREFUSED 10.0.0.7:5432'), { code: 'ECONNREFUSED' });
}

/** Events as those of feeds are: each an object that has its cursor, whether or not that is selected. */
async function* withCursors(names: AsyncIterable<string>): AsyncGenerator<{ cursor: string; name: string }> {
  for await (const name of names) yield { cursor: `cursor-${name}`, name };
}

function newSource(): Source & { open: (always?: string) => AsyncIterableIterator<string> } {
  const subscribers = new Set<{
    push: (value: string) => void;
    fail: (error: Error) => void;
    end: () => void;
  }>();
  const source = {
    pulled: 0,
    returned: 0,
    subscribed: 0,
    push: (value: string) => {
      for (const one of subscribers) one.push(value);
    },
    fail: (error: Error) => {
      for (const one of subscribers) one.fail(error);
    },
    end: () => {
      for (const one of subscribers) one.end();
    },
    open,
  };

  function open(always?: string): AsyncIterableIterator<string> {
    const values: string[] = [];
    const waiting: { resolve: (result: IteratorResult<string>) => void; reject: (error: Error) => void }[] =
      [];
    let isOver = false;
    const subscriber = {
      push: (value: string) => {
        const first = waiting.shift();
        if (first) first.resolve({ done: false, value });
        else values.push(value);
      },
      fail: (error: Error) => waiting.shift()?.reject(error),
      end: () => {
        isOver = true;
        for (const one of waiting.splice(0)) one.resolve({ done: true, value: undefined });
      },
    };
    subscribers.add(subscriber);
    source.subscribed += 1;
    return {
      [Symbol.asyncIterator]() {
        return this;
      },
      next() {
        source.pulled += 1;
        const value = always ?? values.shift();
        if (value !== undefined) return Promise.resolve({ done: false, value });
        if (isOver) return Promise.resolve({ done: true, value: undefined });
        return new Promise((resolve, reject) => waiting.push({ resolve, reject }));
      },
      return() {
        if (subscribers.delete(subscriber)) source.returned += 1;
        for (const one of waiting.splice(0)) one.resolve({ done: true, value: undefined });
        return Promise.resolve({ done: true, value: undefined });
      },
    };
  }
  return source;
}
