import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  checkKeyName,
  hashApiKey,
  isKeyValid,
  type KeyValidity,
  readApiKey,
  SECRET_BYTES,
  writeApiKey,
} from '../../../src/domain/access/api-key.ts';
import { newUuidV7 } from '../../../src/domain/values/uuid-v7.ts';

const NOW = new Date('2026-12-01T12:00:00Z');
const ID = '018f0000-0000-7000-8000-000000000001';
const TEXT = writeApiKey(ID, new Uint8Array(SECRET_BYTES).fill(0xff));

describe('the text of a key', () => {
  it('has a prefix, the id, the secret and a checksum', () => {
    expect(TEXT).toMatch(/^sch_01hw000000e008000000000001_[0-9A-Za-z]{49}$/);
    expect(TEXT).toHaveLength(80);
  });

  it('is read again, whatever the secret', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: SECRET_BYTES, maxLength: SECRET_BYTES }), (secret) => {
        const text = writeApiKey(ID, secret);
        expect(readApiKey(text)).toEqual({ id: ID, text });
      }),
    );
  });

  it('differs for different secrets', () => {
    const texts = Array.from({ length: 1_000 }, () => writeApiKey(ID, randomBytes(SECRET_BYTES)));
    expect(new Set(texts).size).toBe(1_000);
  });

  it('is not read with any one character changed', () => {
    for (let at = 0; at < TEXT.length; at += 1) {
      const changed = TEXT[at] === '1' ? '2' : '1';
      expect(readApiKey(TEXT.slice(0, at) + changed + TEXT.slice(at + 1)), `character ${at}`).toBeNull();
    }
  });

  it.each([
    ['nothing', ''],
    ['white space before it', ` ${TEXT}`],
    ['a line break behind it', `${TEXT}\n`],
    ['half of it', TEXT.slice(0, 40)],
    ['it twice', TEXT + TEXT],
    ['another prefix', TEXT.replace('sch_', 'job_')],
    ['the id alone', 'key_01hw000000e008000000000001'],
  ])('is not read from %s', (_what, text) => {
    expect(readApiKey(text)).toBeNull();
  });
});

describe('a key is valid', () => {
  const hash = hashApiKey(TEXT);
  const other = hashApiKey(writeApiKey(newUuidV7(NOW), randomBytes(SECRET_BYTES)));
  const key: KeyValidity = {
    hash,
    previousHash: null,
    previousUntil: null,
    expiresAt: null,
    revokedAt: null,
  };
  const later = (ms: number) => new Date(NOW.getTime() + ms);

  it.each<[string, Partial<KeyValidity>, Buffer, boolean]>([
    ['with its own text', {}, hash, true],
    ['not with another text', {}, other, false],
    ['before it expires', { expiresAt: later(1) }, hash, true],
    ['not at the moment when it expires', { expiresAt: NOW }, hash, false],
    ['not once it is revoked', { revokedAt: later(-1) }, hash, false],
    ['with its former text during the grace', { previousHash: other, previousUntil: later(1) }, other, true],
    ['not with its former text after the grace', { previousHash: other, previousUntil: NOW }, other, false],
    ['not with its former text without a grace', { previousHash: other }, other, false],
    [
      'not with its former text once it is revoked',
      { previousHash: other, previousUntil: later(1), revokedAt: NOW },
      other,
      false,
    ],
  ])('%s', (_when, facts, sent, isValid) => {
    expect(isKeyValid({ ...key, ...facts }, sent, NOW)).toBe(isValid);
  });
});

describe('the name of a key', () => {
  it.each(['deploy', 'Grafana (read only)', 'ci@example.com', 'x'.repeat(100), '日本'])(
    'may be %j',
    (name) => {
      expect(checkKeyName(name)).toBeNull();
    },
  );

  it.each([
    ['', /Has 0 characters/],
    ['x'.repeat(101), /more than 100 characters/],
    [' deploy', /white space/],
    ['de\nploy', /cannot be seen/],
    ['de\u202eploy', /cannot be seen/],
    ['de\u2028ploy', /cannot be seen/],
    ['de\0ploy', /NUL/],
    ['scheduler', /another actor/],
    ['Anonymous', /another actor/],
    ['command-line', /another actor/],
  ])('may not be %j', (name, problem) => {
    expect(checkKeyName(name)).toMatch(problem);
  });
});
