import { describe, expect, it } from 'vitest';
import { isSecretHeaderName, maskHeaders, maskUrl } from '../../../src/domain/request/secrets.ts';

describe('isSecretHeaderName', () => {
  it.each([
    'Authorization',
    'Proxy-Authorization',
    'Cookie',
    'Set-Cookie',
    'X-Api-Key',
    'X-APIKEY',
    'X-Auth-Token',
    'X-Hub-Signature-256',
    'X-Functions-Key',
  ])('treats %s as a secret', (name) => {
    expect(isSecretHeaderName(name)).toBe(true);
  });

  it.each([
    'Content-Type',
    'Accept',
    'User-Agent',
    'X-Execution-Id',
    'X-Job-Id',
    'X-Attempt',
    'X-Scheduled-At',
    'Idempotency-Key',
    'X-Request-Id',
  ])('treats %s as harmless', (name) => {
    expect(isSecretHeaderName(name)).toBe(false);
  });
});

describe('maskHeaders', () => {
  it('keeps a name that has a meaning for objects', () => {
    const headers = JSON.parse('{"__proto__":"kept"}') as Record<string, string>;
    expect(Object.entries(maskHeaders(headers))).toEqual([['__proto__', 'kept']]);
  });

  it('keeps every name and hides only secret values', () => {
    expect(maskHeaders({ Accept: 'text/plain', Authorization: 'Bearer s3cret' })).toEqual({
      Accept: 'text/plain',
      Authorization: '***',
    });
  });
});

describe('maskUrl', () => {
  it.each([
    ['https://example.com/a?b=c', 'https://example.com/a?b=c'],
    ['https://example.com', 'https://example.com'],
    ['https://user:s3cret@example.com/a', 'https://user:***@example.com/a'],
    ['https://s3cret@example.com/', 'https://***@example.com/'],
    [
      'https://example.com/?page=2&api_key=s3cret&token=s3cret',
      'https://example.com/?page=2&api_key=***&token=***',
    ],
    ['no url', 'no url'],
  ])('shows %s as %s', (url, shown) => {
    expect(maskUrl(url)).toBe(shown);
  });
});
