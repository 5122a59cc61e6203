import { describe, expect, it } from 'vitest';
import { HEADER_LIMITS, checkHeaders } from '../../../src/domain/request/header-rules.ts';

describe('checkHeaders', () => {
  it('accepts an object of ordinary headers', () => {
    expect(checkHeaders({ Accept: '*/*', 'X-Custom_1': 'café\ttab', Empty: '' })).toBeNull();
    expect(checkHeaders({})).toBeNull();
  });

  it.each([null, 'text', 7, ['Accept']])('refuses %j as a whole', (headers) => {
    expect(checkHeaders(headers)?.name).toBe('');
  });

  it.each([
    ['Bad Name', 'x'],
    ['', 'x'],
    ['Ünicode', 'x'],
    ['Content-Length', '5'],
    ['transfer-encoding', 'chunked'],
    ['Connection', 'close'],
    ['X-Number', 7],
    ['X-Null', null],
    ['X-Line', 'a\r\nInjected: yes'],
    ['X-Nul', 'a\0b'],
    ['X-Emoji', '😀'],
    ['X-Long', 'v'.repeat(HEADER_LIMITS.valueLength + 1)],
  ])('refuses %s: %j and names it', (name, value) => {
    const issue = checkHeaders({ Accept: '*/*', [name]: value });
    expect(issue?.name).toBe(name);
  });

  it('refuses a name given twice in different case', () => {
    expect(checkHeaders({ 'X-Twice': '1', 'x-twice': '2' })?.name).toBe('x-twice');
  });

  it('cuts a huge name', () => {
    expect(checkHeaders({ ['n'.repeat(1_000_000)]: 'x' })?.name).toHaveLength(HEADER_LIMITS.nameLength);
  });

  it('refuses more headers than are allowed', () => {
    const many = Object.fromEntries(
      Array.from({ length: HEADER_LIMITS.count + 1 }, (_, index) => [`x-${index}`, '1']),
    );
    expect(checkHeaders(many)?.message).toContain(String(HEADER_LIMITS.count));
  });
});
