import { describe, expect, it } from 'vitest';
import { MAX_TARGET_URL_LENGTH, checkTargetUrl } from '../../../src/domain/request/target-url.ts';

describe('checkTargetUrl', () => {
  it.each([
    'http://127.0.0.1:3000/a?b=c#d',
    'https://example.com',
    'HTTPS://EXAMPLE.COM/',
    'http://[::1]:8080/',
    'https://user:pass@example.com/',
    'https://müller.example/größe',
    'http://localhost',
  ])('accepts %s', (url) => {
    expect(checkTargetUrl(url)).toBeNull();
  });

  it.each([
    '',
    'example.com',
    '/path',
    '//example.com',
    'ftp://example.com',
    'file:///etc/passwd',
    'javascript:alert(1)',
    'unix:/var/run/docker.sock:/info',
    'http:example.com',
    'http:/example.com',
    'http://',
    'http:///path',
    'http://\\host',
    'http://exa mple.com/',
    'http://example.com/\n',
    ' http://example.com/',
    'http://example.com:99999/',
    'http://[::1/',
    'http://1.2.3.999/',
  ])('refuses %j', (url) => {
    expect(checkTargetUrl(url)).not.toBeNull();
  });

  it('names the limit and the length of a URL that is too long, not the URL', () => {
    const url = `http://example.com/${'a'.repeat(MAX_TARGET_URL_LENGTH)}`;
    const issue = checkTargetUrl(url);
    expect(issue?.message).toContain('2048');
    expect(issue?.message).toContain(String(url.length));
    expect(checkTargetUrl(url.slice(0, MAX_TARGET_URL_LENGTH))).toBeNull();
  });
});
