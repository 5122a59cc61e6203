import { describe, expect, it } from 'vitest';
import {
  MAX_STATUS_PATTERNS,
  checkStatusPatterns,
  matchesStatus,
  parseStatusPattern,
} from '../../../src/domain/request/status-pattern.ts';

describe('parseStatusPattern', () => {
  it.each([
    ['200', { from: 200, to: 200 }],
    ['2xx', { from: 200, to: 299 }],
    ['5XX', { from: 500, to: 599 }],
    ['500-599', { from: 500, to: 599 }],
    ['404-404', { from: 404, to: 404 }],
  ])('reads %s', (pattern, range) => {
    expect(parseStatusPattern(pattern)).toEqual(range);
  });

  it.each([
    '',
    ' 200',
    '200 ',
    '20',
    '2000',
    '2x',
    'xxx',
    '6xx',
    '0xx',
    '099',
    '600',
    '599-500',
    '200-',
    '-200',
    '200-600',
    '2xx-3xx',
    '200,201',
    '2xx\n',
    '２００',
  ])('refuses %j', (pattern) => {
    expect(parseStatusPattern(pattern)).toBeNull();
  });
});

describe('matchesStatus', () => {
  it('includes both ends of a range and nothing beyond', () => {
    const patterns = ['200', '500-503'];
    expect([199, 200, 201, 499, 500, 503, 504].filter((status) => matchesStatus(patterns, status))).toEqual([
      200, 500, 503,
    ]);
  });

  it('matches nothing in an empty list', () => {
    expect(matchesStatus([], 200)).toBe(false);
  });
});

describe('checkStatusPatterns', () => {
  it('accepts readable patterns', () => {
    expect(checkStatusPatterns(['2xx', '304', '400-404'], { allowEmpty: false })).toBeNull();
  });

  it('names the first bad value and its place', () => {
    const issue = checkStatusPatterns(['2xx', 'teapot', '700'], { allowEmpty: false });
    expect(issue).toMatchObject({ value: 'teapot', index: 1 });
    expect(issue?.message).toContain('"teapot"');
  });

  it('cuts a huge bad value', () => {
    const issue = checkStatusPatterns(['9'.repeat(1_000_000)], { allowEmpty: false });
    expect(issue?.value).toHaveLength(40);
    expect(issue?.message.length).toBeLessThan(300);
  });

  it('refuses an empty list when one status must be able to succeed', () => {
    expect(checkStatusPatterns([], { allowEmpty: false })).not.toBeNull();
    expect(checkStatusPatterns([], { allowEmpty: true })).toBeNull();
  });

  it('refuses more patterns than the limit, and names the limit', () => {
    const most = Array.from({ length: MAX_STATUS_PATTERNS }, () => '200');
    expect(checkStatusPatterns(most, { allowEmpty: false })).toBeNull();
    expect(checkStatusPatterns([...most, '200'], { allowEmpty: false })?.message).toContain(
      String(MAX_STATUS_PATTERNS),
    );
  });
});
