import { describe, expect, it } from 'vitest';
import { toPlainValue } from '../../src/logging/plain-value.ts';

describe('toPlainValue', () => {
  it('takes values that JSON does not know', () => {
    const value = {
      big: 10n,
      nan: NaN,
      when: new Date('2026-01-01T00:00:00Z'),
      never: new Date(NaN),
      bytes: Buffer.from('abc'),
      map: new Map<unknown, unknown>([
        ['a', 1],
        [2, 'b'],
      ]),
      set: new Set([1]),
      url: new URL('https://u:pw@host/path'),
      call: () => 1,
      sign: Symbol('s'),
      nothing: undefined,
    };
    expect(toPlainValue(value)).toEqual({
      big: '10',
      nan: 'NaN',
      when: '2026-01-01T00:00:00.000Z',
      never: 'Invalid Date',
      bytes: '[3 bytes]',
      map: { a: 1, '2': 'b' },
      set: [1],
      url: 'https://u:***@host/path',
      call: '[function]',
      sign: 'Symbol(s)',
    });
  });

  it('cuts cycles, but not what merely appears twice', () => {
    const shared = { a: 1 };
    const value: Record<string, unknown> = { one: shared, two: shared };
    value['self'] = value;
    expect(toPlainValue(value)).toEqual({ one: { a: 1 }, two: { a: 1 }, self: '[circular]' });
  });

  it('survives values that fight back', () => {
    const throwing = {
      get boom() {
        throw new Error('no');
      },
    };
    const { proxy, revoke } = Proxy.revocable({}, {});
    revoke();
    const polluting = JSON.parse('{"__proto__":{"polluted":true}}') as object;

    expect(toPlainValue({ throwing, proxy })).toEqual({ throwing: '[unreadable]', proxy: '[unreadable]' });
    expect(JSON.stringify(toPlainValue(polluting))).toBe('{"__proto__":{"polluted":true}}');
  });

  it('bounds length, width and depth', () => {
    let deep: unknown = 'bottom';
    for (let level = 0; level < 50; level += 1) deep = { deep };
    const wide = Object.fromEntries(Array.from({ length: 500 }, (_, index) => [`key${index}`, index]));
    const plain = toPlainValue({ long: 'x'.repeat(10_000_000), many: Array(500).fill(1), wide, deep });

    expect(JSON.stringify(plain).length).toBeLessThan(12_000);
    expect(plain).toMatchObject({
      long: expect.stringMatching(/x… \[cut from 10000000 characters\]$/) as string,
    });
  });

  it('keeps every member of an aggregate error, and the facts that errors carry', () => {
    const refused = Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED', port: 5432 });
    const plain = toPlainValue(new AggregateError([refused], 'all failed'));
    expect(plain).toMatchObject({
      name: 'AggregateError',
      message: 'all failed',
      errors: [{ message: 'connect ECONNREFUSED', code: 'ECONNREFUSED', port: 5432 }],
    });
  });

  it.each([
    'authorization',
    'Proxy-Authorization',
    'set-cookie',
    'password',
    'dbPassword',
    'x-api-key',
    'apiKey',
    'client_secret',
    'accessToken',
    'X-Hub-Signature',
  ])('masks the field %s', (name) => {
    expect(toPlainValue({ headers: { [name]: 'hush' } })).toEqual({ headers: { [name]: '***' } });
  });

  it.each(['idempotencyKey', 'jobId', 'tokens_left', 'author', 'scheduledAt'])(
    'shows the field %s',
    (name) => {
      expect(toPlainValue({ [name]: 'seen' })).toEqual({ [name]: 'seen' });
    },
  );

  it('masks credentials inside text, also where the text is cut', () => {
    expect(toPlainValue('sent Authorization: Bearer abcdefgh12345 to postgres://u:pw@h/db')).toBe(
      'sent Authorization: Bearer *** to postgres://u:***@h/db',
    );
    const edge = `${'x '.repeat(3990)}postgres://user:secretsecretsecret@host`;
    expect(toPlainValue(edge)).not.toContain('secret');
  });

  it('takes time in proportion to hostile text', () => {
    // Quadratic masking would need minutes for these, and the test would run into its limit.
    const plain = toPlainValue([
      'a.'.repeat(4_000_000),
      '://a:'.repeat(1_000_000),
      'Bearer '.repeat(1_000_000),
    ]);
    expect(plain).toHaveLength(3);
  });
});
