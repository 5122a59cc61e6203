import { beforeEach, describe, expect, it } from 'vitest';
import { createApiKey, createFirstApiKey } from '../../src/commands/access/create-api-key.ts';
import { revokeApiKey } from '../../src/commands/access/revoke-api-key.ts';
import { rotateApiKey } from '../../src/commands/access/rotate-api-key.ts';
import { API_KEY_LIMITS, hashApiKey, isKeyValid, readApiKey } from '../../src/domain/access/api-key.ts';
import { encodePublicId } from '../../src/domain/values/public-id.ts';
import { readApiKeys, type StoredApiKey } from '../../src/store/access/api-keys.ts';
import { CALLER, START, useCommandHarness, valueOf } from './harness.ts';

const harness = useCommandHarness();
const DAY_MS = 24 * 3_600_000;

beforeEach(async () => {
  await harness.pool.query('TRUNCATE api_keys');
});

const create = (name = 'deploy', expiresAt?: Date) =>
  createApiKey(harness.deps, CALLER, { name, role: 'EDITOR', expiresAt });
const idOf = ({ id }: { id: string }) => encodePublicId('ApiKey', id);
const rotate = (key: { id: string }, graceMs?: number) =>
  rotateApiKey(harness.deps, CALLER, { id: idOf(key), graceMs });
const revoke = (key: { id: string }) => revokeApiKey(harness.deps, CALLER, { id: idOf(key) });

async function storedKey({ id }: { id: string }): Promise<StoredApiKey> {
  const key = (await readApiKeys(harness.pool)).find((row) => row.id === id);
  if (!key) throw new Error('The key is not stored, or is revoked');
  return key;
}

async function isValid(key: { id: string; text: string }): Promise<boolean> {
  return isKeyValid(await storedKey(key), hashApiKey(key.text), harness.clock.now());
}

/** All that the database holds, as text. */
async function allRows(): Promise<string> {
  const { rows } = await harness.pool.query<{ text: string }>(
    `SELECT coalesce(string_agg(r, ' '), '') AS text FROM (
       SELECT to_jsonb(k)::text AS r FROM api_keys AS k UNION ALL SELECT to_jsonb(a)::text FROM job_audit_log AS a
     ) AS rows`,
  );
  return rows[0]?.text ?? '';
}

describe('creating a key', () => {
  it('gives its text, stores a hash of it, and writes an audit entry', async () => {
    const key = valueOf(await create('deploy', new Date('2025-04-01T00:00:00Z')));
    expect(readApiKey(key.text)).toEqual(key);
    expect(await storedKey(key)).toEqual({
      id: key.id,
      name: 'deploy',
      role: 'EDITOR',
      hash: hashApiKey(key.text),
      previousHash: null,
      previousUntil: null,
      createdAt: new Date(START),
      createdBy: 'ada',
      expiresAt: new Date('2025-04-01T00:00:00Z'),
      revokedAt: null,
    });
    const [entry] = await harness.auditEntries();
    expect(entry).toMatchObject({
      action: 'API_KEY_CREATED',
      actor: 'ada',
      job_id: null,
      request_id: 'request-1',
      address: '10.0.0.7',
      before: null,
      after: { apiKeyId: idOf(key), name: 'deploy', role: 'EDITOR', expiresAt: '2025-04-01T00:00:00.000Z' },
    });
  });

  it('leaves its secret nowhere', async () => {
    const { text } = valueOf(await create());
    expect(await allRows()).not.toContain(text.slice(-49, -6));
  });

  it('refuses a name that another key has, until that key is revoked', async () => {
    const key = valueOf(await create());
    expect(await create()).toMatchObject({ errors: [{ kind: 'ConflictError', path: ['name'] }] });
    valueOf(await revoke(key));
    valueOf(await create());
  });

  it('names each field that is not what it may be, and writes nothing', async () => {
    const result = await create(' ', new Date(START));
    expect(result).toMatchObject({
      errors: [{ kind: 'ValidationError', issues: [{ path: ['name'] }, { path: ['expiresAt'] }] }],
    });
    expect(await allRows()).toBe('');
  });

  it('refuses a key beyond the most', async () => {
    await harness.pool.query(
      `INSERT INTO api_keys (id, name, role, hash, created_at, created_by)
       SELECT gen_random_uuid(), 'key ' || n, 'VIEWER', sha256('x'), now(), 'ada' FROM generate_series(1, $1) AS n`,
      [API_KEY_LIMITS.keys - 1],
    );
    const [one, other] = await Promise.all([create('a'), create('b')]);
    expect([one.ok, other.ok].sort()).toEqual([false, true]);
    expect(one.ok ? other : one).toMatchObject({ errors: [{ kind: 'ConflictError', path: null }] });
  });
});

describe('rotating a key', () => {
  it('keeps the former text valid for the grace', async () => {
    const key = valueOf(await create());
    const rotated = valueOf(await rotate(key, 60_000));
    expect(rotated.id).toBe(key.id);
    expect(rotated.text).not.toBe(key.text);
    expect([await isValid(key), await isValid(rotated)]).toEqual([true, true]);
    harness.clock.set(new Date(Date.parse(START) + 60_000).toISOString());
    expect([await isValid(key), await isValid(rotated)]).toEqual([false, true]);
  });

  it('has a grace of one day where nothing is said', async () => {
    const key = valueOf(await create());
    valueOf(await rotate(key));
    const until = new Date(Date.parse(START) + DAY_MS);
    expect((await storedKey(key)).previousUntil).toEqual(until);
    expect((await harness.auditEntries()).at(-1)).toMatchObject({
      action: 'API_KEY_ROTATED',
      before: { apiKeyId: idOf(key), name: 'deploy', previousUntil: null },
      after: { apiKeyId: idOf(key), name: 'deploy', previousUntil: until.toISOString() },
    });
  });

  it('ends the text before the former one, also within its grace', async () => {
    const key = valueOf(await create());
    const second = valueOf(await rotate(key));
    const third = valueOf(await rotate(key));
    expect([await isValid(key), await isValid(second), await isValid(third)]).toEqual([false, true, true]);
  });

  it('without a grace ends the former text at once', async () => {
    const key = valueOf(await create());
    valueOf(await rotate(key, 0));
    expect(await isValid(key)).toBe(false);
  });

  it.each([-1, API_KEY_LIMITS.graceMs.max + 1])('refuses a grace of %d ms', async (graceMs) => {
    const key = valueOf(await create());
    expect(await rotate(key, graceMs)).toMatchObject({
      errors: [{ kind: 'ValidationError', path: ['graceMs'] }],
    });
    expect(await isValid(key)).toBe(true);
  });

  it('refuses a revoked key and one that is not there', async () => {
    const key = valueOf(await create());
    valueOf(await revoke(key));
    expect(await rotate(key)).toMatchObject({ errors: [{ kind: 'ConflictError', path: ['id'] }] });
    expect(await rotate({ id: '018f0000-0000-7000-8000-000000000009' })).toMatchObject({
      errors: [{ kind: 'NotFoundError', path: ['id'] }],
    });
  });
});

describe('revoking a key', () => {
  it('is for good, and written down', async () => {
    const key = valueOf(await create());
    valueOf(await revoke(key));
    expect(await readApiKeys(harness.pool)).toEqual([]);
    expect((await harness.auditEntries()).at(-1)).toMatchObject({
      action: 'API_KEY_REVOKED',
      before: { revokedAt: null },
      after: { apiKeyId: idOf(key), name: 'deploy', revokedAt: START },
    });
    expect(await revoke(key)).toMatchObject({ errors: [{ kind: 'ConflictError' }] });
  });

  it.each(['', 'key_', 'job_01hw000000e008000000000001', 'x'.repeat(1_000)])(
    'knows no key %j',
    async (id) => {
      const result = await revokeApiKey(harness.deps, CALLER, { id });
      expect(result).toMatchObject({ errors: [{ kind: 'NotFoundError', path: ['id'] }] });
    },
  );
});

describe('the first key', () => {
  it('is made once by instances that start together', async () => {
    const seen: string[] = [];
    const first = () =>
      createFirstApiKey(harness.deps, CALLER, null, ({ text }) => {
        seen.push(text);
        return Promise.resolve();
      });
    expect((await Promise.all([first(), first(), first()])).filter(Boolean)).toHaveLength(1);
    expect(seen).toHaveLength(1);
    expect(await readApiKeys(harness.pool)).toMatchObject([{ name: 'first admin key', role: 'ADMIN' }]);
  });

  it('is not made where a key was ever created, also a revoked one', async () => {
    valueOf(await revoke(valueOf(await create())));
    expect(await createFirstApiKey(harness.deps, CALLER, null, () => Promise.resolve())).toBe(false);
  });

  it('is not stored where it could not be handed over', async () => {
    const failing = () => Promise.reject(new Error('disk full'));
    await expect(createFirstApiKey(harness.deps, CALLER, null, failing)).rejects.toThrow('disk full');
    expect(await readApiKeys(harness.pool)).toEqual([]);
  });
});
