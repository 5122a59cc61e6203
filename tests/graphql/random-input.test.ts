import fc from 'fast-check';
import {
  getNamedType,
  graphql,
  type GraphQLArgument,
  type GraphQLField,
  type GraphQLObjectType,
  isAbstractType,
  isLeafType,
  isObjectType,
} from 'graphql';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createRequestContext } from '../../src/graphql/context.ts';
import { schema } from '../../src/graphql/schema.ts';
import { createErrorMask } from '../../src/server/http/error-mask.ts';
import { MAX_BODY_BYTES } from '../../src/server/limits/limits.ts';
import { createHttpServer, type HttpServerOptions } from '../../src/server/server.ts';
import { CALLER } from '../commands/harness.ts';
import { smallSchema } from '../server/small-schema.ts';
import { type LoggedLine, serverOptions } from '../server/test-server.ts';
import { post } from '../support/graphql-clients.ts';
import { type ApiHarness, createApiHarness } from './api-harness.ts';
import { asLiterals, garbageOf } from './random-garbage.ts';
import { inputOf } from './random-input.ts';
import { type Scene, setScene } from './random-input-scene.ts';
import { ADA } from '../support/viewers.ts';

let api: ApiHarness;
let scene: Scene;
let server: { url: string; log: LoggedLine[]; stop: () => Promise<void> };
/** Masked values in the form of the log. */
const faults: unknown[] = [];

beforeAll(async () => {
  api = await createApiHarness();
  scene = await setScene(api.pool);
  const log: LoggedLine[] = [];
  const createContext: HttpServerOptions['createContext'] = (facts) => createRequestContext(api.base, facts);
  const http = createHttpServer(serverOptions(smallSchema(), log, { schema, createContext }));
  server = { ...(await http.start()), log, stop: http.stop };
});
afterAll(async () => {
  await server.stop();
  await api.close();
});

/** The error codes for garbage. A document is refused as such. Instants in it are refused as values. */
const REFUSALS: Record<'variable' | 'literal', ReadonlySet<unknown>> = {
  variable: new Set(['BAD_USER_INPUT']),
  literal: new Set([
    'BAD_USER_INPUT',
    'GRAPHQL_VALIDATION_FAILED',
    'GRAPHQL_PARSE_FAILED',
    'QUERY_LIMIT_EXCEEDED',
  ]),
};
/** Half of the maximum of a request. */
const MAX_GARBAGE_CHARACTERS = MAX_BODY_BYTES / 2;

const mask = createErrorMask({
  log: {
    debug: () => undefined,
    info: () => undefined,
    warn: () => undefined,
    error: (_message, fields) => faults.push(fields),
  },
  newId: () => 'error-id',
  isUnavailable: () => false,
  schema,
});

/** Mutations whose changes are in the audit log only: all of them, or some. See docs/decisions/0006. */
const AUDIT_ONLY: Record<string, boolean[]> = {
  createTag: [false],
  createApiKey: [false],
  rotateApiKey: [false],
  revokeApiKey: [false],
  discardDeadLetters: [false],
  updateTag: [false, true],
  cancelExecution: [false, true],
};

/** Selects the plain fields of an answer, so the test also reads what was written. */
function selectionOf(payload: GraphQLObjectType): string {
  const fields = Object.values(payload.getFields()).map((field) => {
    const type = getNamedType(field.type);
    if (field.name === 'errors') return 'errors { __typename code message path }';
    return isLeafType(type) ? field.name : `${field.name} { __typename }`;
  });
  return fields.join(' ');
}

interface Answered {
  refusals: { __typename: string; code: string; message: string; path: string[] | null }[];
  /** Top-level errors. Those with a path come from a resolver. */
  errors: { code: unknown; path: unknown }[];
}

async function send(field: GraphQLField<unknown, unknown>, input: unknown): Promise<Answered> {
  const payload = getNamedType(field.type);
  if (!isObjectType(payload) || isAbstractType(payload))
    throw new Error('A mutation answers with no payload');
  const [argument] = field.args;
  const source = `mutation ($input: ${String(argument?.type)}) { it: ${field.name}(input: $input) { ${selectionOf(payload)} } }`;
  const result = await graphql({
    schema,
    source,
    variableValues: { input: JSON.parse(JSON.stringify(input)) as unknown },
    contextValue: createRequestContext(api.base, { ...CALLER, viewer: ADA, isGone: () => false }),
  });
  const it = result.data?.['it'] as { errors?: Answered['refusals'] } | null | undefined;
  return {
    refusals: it?.errors ?? [],
    errors: (result.errors ?? []).map((error) => ({
      code: mask(error).extensions['code'],
      path: error.path,
    })),
  };
}

/** Whether a mutation has an event: one answer, or both when it depends on the state or the input. */
function eventsOf(mutation: string, isChanged: boolean): boolean[] {
  if (!isChanged) return [false];
  return AUDIT_ONLY[mutation] ?? [true];
}

function argumentOf(field: GraphQLField<unknown, unknown>): GraphQLArgument {
  const [argument] = field.args;
  if (!argument || field.args.length > 1) throw new Error('A mutation has one argument, its input');
  return argument;
}

/** Every run uses the same inputs, so a failing run shows the effect of a change. */
const SEED = 20_250_301;
const RUNS = 15;
/** At most this many runs per round, until an input is accepted. */
const MAX_ROUNDS = 20;
const GARBAGE_RUNS = 3;

const mutations = Object.entries(schema.getMutationType()?.getFields() ?? {});

describe('any input of', () => {
  it.each(mutations)('%s is executed completely or refused with a typed error', async (name, field) => {
    const { type, name: argument } = argumentOf(field);
    let taken = 0;
    const property = fc.asyncProperty(inputOf(type, argument, scene.idsFor(name)), async (input) => {
      const before = await scene.digest();
      faults.length = 0;
      const { refusals, errors } = await send(field, input);
      expect(faults).toEqual([]);
      // GraphQL itself refuses values of the wrong type before any resolver runs. All other values are refused as data.
      expect(errors.filter(({ code, path }) => code !== 'BAD_USER_INPUT' || path)).toEqual([]);
      for (const { message, path } of refusals) {
        expect(message.length).toBeLessThan(2_000);
        expect(path === null || path.length > 0).toBe(true);
      }
      const after = await scene.digest();
      const isChanged = after.state !== before.state;
      if (refusals.length + errors.length > 0) expect(after).toEqual(before);
      // Every change has a log entry, and nothing else has one. A delivery is itself the record of a test.
      else if (name !== 'testJobAlert') {
        expect(after.audit !== before.audit).toBe(isChanged);
        expect(eventsOf(name, isChanged)).toContain(after.events !== before.events);
      }
      if (isChanged || (name === 'testRequest' && refusals.length + errors.length === 0)) taken += 1;
      if (isChanged) await scene.restore();
    });
    // A mutation that refused everything would pass all of the above.
    for (let round = 0; round === 0 || (taken === 0 && round < MAX_ROUNDS); round += 1)
      await fc.assert(property, { seed: SEED + round, numRuns: RUNS });
    expect(taken).toBeGreaterThan(0);
  });
});

describe('any invalid input of', () => {
  it.each(mutations)('%s is refused before anything runs, with a code', async (name, field) => {
    const { type, name: argument } = argumentOf(field);
    const selection = `{ it: ${field.name}(input: $input) { errors { code } } }`;
    const garbage = garbageOf(type, argument, scene.idsFor(name), MAX_GARBAGE_CHARACTERS);
    await fc.assert(
      fc.asyncProperty(garbage, fc.boolean(), async (sent, isLiteral) => {
        const before = await scene.digest();
        const query = isLiteral
          ? `mutation ${selection.replace('(input: $input)', () => asLiterals(sent))}`
          : `mutation ($input: ${String(type)}) ${selection}`;
        const { status, body } = await post(server.url, query, isLiteral ? {} : sent);
        expect(status).toBeLessThan(500);
        expect(body.data ?? null).toBeNull();
        const codes = body.errors?.map(({ extensions }) => extensions?.['code']) ?? [];
        expect(codes.length).toBeGreaterThan(0);
        expect(codes.filter((code) => !REFUSALS[isLiteral ? 'literal' : 'variable'].has(code))).toEqual([]);
        expect(server.log.filter(({ level }) => level === 'error')).toEqual([]);
        expect(await scene.digest()).toEqual(before);
      }),
      { seed: SEED, numRuns: GARBAGE_RUNS },
    );
  });
});
