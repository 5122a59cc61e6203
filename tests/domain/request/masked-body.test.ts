import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { holdsMask, maskBody, maskBodyText, unmaskBody } from '../../../src/domain/request/masked-body.ts';

describe('maskBody', () => {
  it.each([
    'token',
    'accessToken',
    'refresh_token',
    'client_secret',
    'password',
    'passwd',
    'apiKey',
    'api_key',
    'x-api-key',
    'AWS_ACCESS_KEY',
    'privateKey',
    'Authorization',
    'signature',
    'credentials',
  ])('hides the text of a field named %s', (name) => {
    expect(maskBody({ a: 1, [name]: 's3cret', b: 'shown' })).toEqual({ a: 1, [name]: '***', b: 'shown' });
  });

  it.each(['name', 'key', 'author', 'passenger', 'message', 'id'])('shows a field named %s', (name) => {
    expect(maskBody({ [name]: 'shown' })).toEqual({ [name]: 'shown' });
  });

  it('shows numbers, booleans and null of any field', () => {
    const body = { max_tokens: 100, hasPassword: true, token: null };
    expect(maskBody(body)).toBe(body);
  });

  it('hides all texts below a secret field and none behind it', () => {
    expect(
      maskBody({
        credentials: { user: 'u', pass: ['p', { deep: 'd' }] },
        next: 'shown',
        list: [{ token: 't' }, 'shown', ['shown']],
        tokens: ['a', 'b'],
        last: [{ x: 'shown' }],
      }),
    ).toEqual({
      credentials: { user: '***', pass: ['***', { deep: '***' }] },
      next: 'shown',
      list: [{ token: '***' }, 'shown', ['shown']],
      tokens: ['***', '***'],
      last: [{ x: 'shown' }],
    });
  });

  it('hides fields of a text that is JSON and keeps the rest as written', () => {
    expect(maskBody('{ "token" : "a\\"b",\n  "n": {{json n}}, "x": "{{y}}" }')).toBe(
      '{ "token" : "***",\n  "n": {{json n}}, "x": "{{y}}" }',
    );
  });

  it('hides a field whose name is written with escapes', () => {
    expect(maskBody('{"to\\u006ben":"s3cret"}')).toBe('{"to\\u006ben":"***"}');
  });

  it('hides the secret in a text that is cut off', () => {
    expect(maskBodyText('{"a":"b","token":"s3cr')).toBe('{"a":"b","token":"***"');
    expect(maskBodyText('{"token":"s3cr\\')).toBe('{"token":"***"');
  });

  it('hides secrets behind brackets that do not match', () => {
    expect(maskBodyText('}}]] "token": "s3cret"')).toBe('}}]] "token": "***"');
  });

  it('hides fields of a form', () => {
    expect(maskBody('user=ada&password=s3cret&client%5Fsecret=x&page=1&token=')).toBe(
      'user=ada&password=***&client%5Fsecret=***&page=1&token=',
    );
  });

  it('keeps text of other kinds unchanged', () => {
    for (const text of ['', 'a token is here', '<token>x</token>', 'token', '"token"'])
      expect(maskBody(text)).toBe(text);
  });

  it('shows the same of any JSON value as an independent walk', () => {
    const names = fc.constantFrom('a', 'token', 'x"y', 'pässe', 'apiKey', '\\', 'b:');
    const { value } = fc.letrec<{ value: fc.JsonValue }>((tie) => ({
      value: fc.oneof(
        { maxDepth: 4 },
        fc.constantFrom('', 's', '{"token":"x"}', '"', '\\', ']', '}', ': '),
        fc.constantFrom(1, true, null),
        fc.array(tie('value'), { maxLength: 3 }),
        fc.dictionary(names, tie('value'), { maxKeys: 3 }),
      ),
    }));
    fc.assert(
      fc.property(value, (body) => {
        if (typeof body === 'string') return;
        expect(maskBody(body)).toEqual(walked(body, false));
      }),
      { numRuns: 500 },
    );
  });

  it('takes time in proportion to the text, with any quotes', () => {
    for (const part of ['"', '\\"', '" ', '"":', '{"token":"', '{', 'token=&', '=']) {
      const hostile = `token ${part.repeat(262_144 / part.length)}`;
      expect(maskBodyText(hostile).length).toBeGreaterThan(0);
      expect(maskBodyText(hostile.slice(6)).length).toBeGreaterThan(0);
    }
  });
});

function walked(value: fc.JsonValue, isSecret: boolean): fc.JsonValue {
  if (typeof value === 'string') return isSecret ? '***' : value;
  if (Array.isArray(value)) return value.map((item) => walked(item, isSecret));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, item]) => [
      name,
      walked(item ?? null, isSecret || /token|apiKey/.test(name)),
    ]),
  );
}

describe('unmaskBody', () => {
  const current = { token: 's1', nested: { list: [{ password: 's2' }, 'plain'] }, note: 'old' };

  it('puts back each secret whose mask stands in its place', () => {
    const given = { token: '***', nested: { list: [{ password: '***' }, 'plain'] }, note: 'new' };
    expect(unmaskBody(given, current)).toEqual({ ...current, note: 'new' });
  });

  it('keeps a new value of a secret', () => {
    expect(unmaskBody({ token: 'new', note: '***' }, current)).toEqual({ token: 'new', note: '***' });
  });

  it('keeps a mask when the job has no secret', () => {
    const given = { password: '***', nested: { token: '***' } };
    expect(unmaskBody(given, current)).toEqual(given);
    expect(holdsMask(unmaskBody(given, current))).toBe(true);
  });

  it('moves no secret to a visible field', () => {
    expect(unmaskBody({ note: '***' }, { note: 'old' })).toEqual({ note: '***' });
    expect(holdsMask({ note: '***' })).toBe(false);
  });

  it('restores an unchanged text', () => {
    expect(unmaskBody('token=***&a=1', 'token=s1&a=1')).toBe('token=s1&a=1');
    expect(unmaskBody('token=***&a=2', 'token=s1&a=1')).toBe('token=***&a=2');
  });
});
