import fc from 'fast-check';
import {
  getNamedType,
  graphql,
  type GraphQLField,
  type GraphQLObjectType,
  isAbstractType,
  isLeafType,
  isObjectType,
} from 'graphql';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createRequestContext } from '../../src/graphql/context.ts';
import { schema } from '../../src/graphql/schema.ts';
import { createErrorMask } from '../../src/server/error-mask.ts';
import { CALLER } from '../commands/harness.ts';
import { type ApiHarness, createApiHarness } from './api-harness.ts';
import { inputOf } from './random-input.ts';
import { type Scene, setScene } from './random-input-scene.ts';

let api: ApiHarness;
let scene: Scene;
/** What was masked, as the log would have it. */
const faults: unknown[] = [];

beforeAll(async () => {
  api = await createApiHarness();
  scene = await setScene(api.pool);
});
afterAll(async () => {
  await api.close();
});

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

/** Mutations of which changes are in the audit log only: all of them, or some; see docs/decisions/0006. */
const AUDIT_ONLY: Record<string, boolean[]> = {
  createTag: [false],
  discardDeadLetters: [false],
  updateTag: [false, true],
  cancelExecution: [false, true],
};

/** Selects what an answer shows of itself, so that what was written is also read. */
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
  /** Top-level errors; those with a path come from a resolver. */
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
    contextValue: createRequestContext(api.base, CALLER),
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

/** Whether a mutation has an event: one answer, or both where that is up to what it finds or is asked. */
function eventsOf(mutation: string, isChanged: boolean): boolean[] {
  if (!isChanged) return [false];
  return AUDIT_ONLY[mutation] ?? [true];
}

describe('whatever input is sent to', () => {
  it.each(Object.entries(schema.getMutationType()?.getFields() ?? {}))(
    '%s, it is done as a whole or refused with a typed error',
    async (name, field) => {
      const [argument] = field.args;
      if (!argument || field.args.length > 1) throw new Error('A mutation has one argument, its input');
      await fc.assert(
        fc.asyncProperty(inputOf(argument.type, argument.name, scene.idsFor(name)), async (input) => {
          const before = await scene.digest();
          faults.length = 0;
          const { refusals, errors } = await send(field, input);
          expect(faults).toEqual([]);
          // GraphQL itself refuses what is none of the type, before anything is resolved; all else is refused as data.
          expect(errors.filter(({ code, path }) => code !== 'BAD_USER_INPUT' || path)).toEqual([]);
          for (const { message, path } of refusals) {
            expect(message.length).toBeLessThan(2_000);
            expect(path === null || path.length > 0).toBe(true);
          }
          const after = await scene.digest();
          if (refusals.length + errors.length > 0) expect(after).toEqual(before);
          // What was changed is told of; what was not, is not. A delivery is itself what is told of a test.
          else if (name !== 'testJobAlert') {
            const isChanged = after.state !== before.state;
            expect(after.audit !== before.audit).toBe(isChanged);
            const hasEvent = after.events !== before.events;
            expect(eventsOf(name, isChanged)).toContain(hasEvent);
          }
          if (after.state !== before.state) await scene.restore();
        }),
        { numRuns: 15 },
      );
    },
  );
});
