import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Pool } from 'pg';
import { createKeyAccess, type KeyAccess } from '../../src/access/key-access.ts';
import { createApiKey, type NewApiKey } from '../../src/commands/access/create-api-key.ts';
import { revokeApiKey } from '../../src/commands/access/revoke-api-key.ts';
import { rotateApiKey } from '../../src/commands/access/rotate-api-key.ts';
import { createPool } from '../../src/database/pool.ts';
import { SECRET_BYTES, writeApiKey } from '../../src/domain/access/api-key.ts';
import { encodePublicId } from '../../src/domain/values/public-id.ts';
import { newUuidV7 } from '../../src/domain/values/uuid-v7.ts';
import type { Queryable } from '../../src/store/statements/sql.ts';
import { CALLER, valueOf } from '../commands/harness.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { manualClock } from '../support/manual-clock.ts';
import { until } from '../support/until.ts';

let database: TestDatabase;
let pool: Pool;
beforeAll(async () => {
  database = await createTestDatabase();
  pool = createPool({ connectionString: database.connectionString });
});
afterAll(async () => {
  await pool.end();
  await database.drop();
});

const MINUTE_MS = 60_000;
const clock = manualClock();
let monotonicMs = 0;
/** The names of the statements that the access has sent. */
let statements: (string | undefined)[] = [];
let errors: unknown[] = [];
/** Called before each statement. */
let beforeStatement: (name: string | undefined) => Promise<void>;
let access: KeyAccess;

const db: Queryable = {
  async query(statement) {
    statements.push(statement.name);
    await beforeStatement(statement.name);
    return pool.query(statement);
  },
};

beforeEach(async () => {
  await pool.query('TRUNCATE api_keys');
  beforeStatement = () => Promise.resolve();
  errors = [];
  access = createKeyAccess({
    db,
    clock,
    monotonicMs: () => monotonicMs,
    onError: (error) => errors.push(error),
  });
  await access.runOnce();
  statements = [];
});

const deps = { clock, newId: newUuidV7, randomBytes, wake: () => undefined };
const create = async (expiresAt?: Date): Promise<NewApiKey> =>
  valueOf(
    await createApiKey({ ...deps, pool }, CALLER, {
      name: `key ${randomBytes(4).toString('hex')}`,
      role: 'OPERATOR',
      expiresAt,
    }),
  );
const idOf = ({ id }: NewApiKey) => encodePublicId('ApiKey', id);
const revoke = async (key: NewApiKey) =>
  valueOf(await revokeApiKey({ ...deps, pool }, CALLER, { id: idOf(key) }));
const rotate = async (key: NewApiKey, graceMs: number) =>
  valueOf(await rotateApiKey({ ...deps, pool }, CALLER, { id: idOf(key), graceMs }));
const send = ({ text }: { text: string }) => access.authenticate(`Bearer ${text}`);
const isLetIn = async (key: { text: string }) => (await send(key)).ok;
const lastUsedAt = async ({ id }: NewApiKey) =>
  (await pool.query<{ at: Date | null }>('SELECT last_used_at AS at FROM api_keys WHERE id = $1', [id]))
    .rows[0]?.at;

/** The session of a key that is valid. */
async function sessionOf(key: NewApiKey) {
  const authentication = await send(key);
  if (!authentication.ok) throw new Error(`Not let in: ${authentication.reason}`);
  return authentication.session;
}

describe('a key', () => {
  it('lets in a viewer with its name and role', async () => {
    const key = await create();
    const { viewer } = await sessionOf(key);
    expect(viewer).toMatchObject({
      kind: 'API_KEY',
      role: 'OPERATOR',
      name: expect.stringMatching(/^key /) as unknown,
    });
    expect(viewer.fingerprint).toContain(key.id);
  });

  it('costs no statement once it is known', async () => {
    const key = await create();
    expect(await isLetIn(key)).toBe(true);
    statements = [];
    for (let request = 0; request < 100; request += 1) expect(await isLetIn(key)).toBe(true);
    expect(statements).toEqual([]);
  });

  it('is known at once, also where another instance has just created or rotated it', async () => {
    const key = await create();
    expect(await isLetIn(key)).toBe(true);
    const rotated = await rotate(key, 0);
    expect(await isLetIn(rotated)).toBe(true);
    expect(await isLetIn(key)).toBe(false);
  });

  it('lets nobody in from the moment when it expires', async () => {
    const key = await create(new Date(clock.now().getTime() + MINUTE_MS));
    expect(await isLetIn(key)).toBe(true);
    clock.advance(MINUTE_MS - 1);
    expect(await isLetIn(key)).toBe(true);
    clock.advance(1);
    expect(await isLetIn(key)).toBe(false);
  });

  it('lets in with its former text for as long as the grace lasts', async () => {
    const key = await create();
    const rotated = await rotate(key, MINUTE_MS);
    expect([await isLetIn(key), await isLetIn(rotated)]).toEqual([true, true]);
    clock.advance(MINUTE_MS);
    expect([await isLetIn(key), await isLetIn(rotated)]).toEqual([false, true]);
  });

  it.each([
    ['nothing', undefined, 'MISSING'],
    ['an empty header', '', 'INVALID'],
    ['another scheme', 'Basic YWRhOnNlY3JldA==', 'INVALID'],
    ['no text', 'Bearer ', 'INVALID'],
    ['another text', 'Bearer secret', 'INVALID'],
    ['a JSON web token without a signature', 'Bearer eyJhbGciOiJub25lIn0.eyJzdWIiOiJhZGEifQ.', 'INVALID'],
    ['a made-up key', `Bearer ${writeApiKey(newUuidV7(new Date()), randomBytes(SECRET_BYTES))}`, 'INVALID'],
  ])('is needed: %s lets nobody in', async (_what, authorization, reason) => {
    expect(await access.authenticate(authorization)).toEqual({ ok: false, reason });
    expect(errors).toEqual([]);
  });

  it('is not that of another key', async () => {
    const [one, other] = [await create(), await create()];
    const forged = writeApiKey(one.id, randomBytes(SECRET_BYTES));
    expect(await isLetIn({ text: forged })).toBe(false);
    expect(await isLetIn({ text: one.text.slice(0, 31) + other.text.slice(31) })).toBe(false);
    expect(await isLetIn(one)).toBe(true);
  });

  it('may be sent with the scheme in any case', async () => {
    const { text } = await create();
    expect(await access.authenticate(`bearer   ${text}`)).toMatchObject({ ok: true });
  });
});

it('made-up keys wait for each other: they take one statement at a time', async () => {
  let underWay = 0;
  let most = 0;
  beforeStatement = async () => {
    underWay += 1;
    most = Math.max(most, underWay);
    await new Promise((resolve) => setImmediate(resolve));
    underWay -= 1;
  };
  const made = () => writeApiKey(newUuidV7(new Date()), randomBytes(SECRET_BYTES));
  const answers = [];
  for (let sent = 0; sent < 100; sent += 1) {
    answers.push(access.authenticate(`Bearer ${made()}`));
    if (sent % 10 === 0) await new Promise((resolve) => setImmediate(resolve));
  }
  expect((await Promise.all(answers)).every(({ ok }) => !ok)).toBe(true);
  expect(most).toBe(1);
  expect(statements.length).toBeLessThan(20);
});

describe('a session', () => {
  it('ends once its key is revoked, as soon as the keys are read again', async () => {
    const key = await create();
    const session = await sessionOf(key);
    let ends = 0;
    session.onEnd(() => (ends += 1));
    await revoke(key);
    expect(session.use()).toBe(true);
    await access.runOnce();
    expect([session.use(), ends]).toEqual([false, 1]);
    await access.runOnce();
    expect(ends).toBe(1);
  });

  it('ends with its own text, and not with that of others', async () => {
    const key = await create();
    const former = await sessionOf(key);
    const current = await sessionOf(await rotate(key, MINUTE_MS));
    const ends: string[] = [];
    former.onEnd(() => ends.push('former'));
    current.onEnd(() => ends.push('current'));
    await access.runOnce();
    expect(ends).toEqual([]);
    clock.advance(MINUTE_MS);
    await access.runOnce();
    expect(ends).toEqual(['former']);
  });

  it('ends when its key expires, and is not valid from that moment on', async () => {
    const session = await sessionOf(await create(new Date(clock.now().getTime() + 10)));
    let ends = 0;
    session.onEnd(() => (ends += 1));
    clock.advance(10);
    expect(session.use()).toBe(false);
    await access.runOnce();
    expect(ends).toBe(1);
  });

  it('says nothing to those who have left', async () => {
    const key = await create();
    const session = await sessionOf(key);
    let ends = 0;
    session.onEnd(() => (ends += 1))();
    await revoke(key);
    await access.runOnce();
    expect(ends).toBe(0);
  });

  it('is not begun by what was read before a revocation', async () => {
    const key = await create();
    // The look-up has its answer, which arrives only after the keys were read again.
    let answer = (): void => undefined;
    const held = new Promise<void>((resolve) => (answer = resolve));
    const { query } = db;
    let isFirst = true;
    db.query = async (statement) => {
      const result = await query(statement);
      if (statement.name === 'find-api-keys' && isFirst) {
        isFirst = false;
        await held;
      }
      return result as never;
    };
    try {
      const letIn = isLetIn(key);
      await until(() => !isFirst);
      await revoke(key);
      await access.runOnce();
      answer();
      expect(await letIn).toBe(false);
      expect(await isLetIn(key)).toBe(false);
    } finally {
      db.query = query;
    }
  });
});

describe('while the database is away', () => {
  const away = () => Promise.reject(new Error('connection refused'));

  it('known keys let in for a minute, and then nobody can tell', async () => {
    const key = await create();
    expect(await isLetIn(key)).toBe(true);
    beforeStatement = away;
    monotonicMs += MINUTE_MS - 1;
    expect(await isLetIn(key)).toBe(true);
    monotonicMs += 1;
    expect(await send(key)).toEqual({ ok: false, reason: 'UNAVAILABLE' });
    beforeStatement = () => Promise.resolve();
    expect(await isLetIn(key)).toBe(true);
  });

  it('nobody can tell whether an unknown key is valid', async () => {
    const key = await create();
    beforeStatement = away;
    expect(await send(key)).toEqual({ ok: false, reason: 'UNAVAILABLE' });
    expect(errors).toHaveLength(1);
  });
});

describe('the last use of a key', () => {
  it('is written at most once a minute', async () => {
    const key = await create();
    await send(key);
    expect(await lastUsedAt(key)).toBeNull();
    await access.runOnce();
    const first = clock.now();
    expect(await lastUsedAt(key)).toEqual(first);
    clock.advance(MINUTE_MS - 1);
    await send(key);
    await access.runOnce();
    expect(await lastUsedAt(key)).toEqual(first);
    clock.advance(1);
    await access.runOnce();
    expect(await lastUsedAt(key)).toEqual(new Date(first.getTime() + MINUTE_MS - 1));
    statements = [];
    await access.runOnce();
    expect(statements).toEqual(['read-api-keys']);
  });

  it('counts each operation of a session', async () => {
    const key = await create();
    const session = await sessionOf(key);
    await access.runOnce();
    clock.advance(2 * MINUTE_MS);
    session.use();
    await access.runOnce();
    expect(await lastUsedAt(key)).toEqual(clock.now());
  });

  it('is written when the server stops', async () => {
    const key = await create();
    await send(key);
    await access.stop();
    expect(await lastUsedAt(key)).toEqual(clock.now());
  });
});
