import { readFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import * as limits from '../../src/server/limits/limits.ts';

const page = await readFile(new URL('../../docs/limits.md', import.meta.url), 'utf8');

describe('docs/limits.md', () => {
  it.each([
    ['bytes', limits.MAX_BODY_BYTES],
    ['characters', limits.MAX_QUERY_CHARACTERS],
    ['tokens', limits.MAX_QUERY_TOKENS],
    ['levels of brackets', limits.MAX_NESTING],
    ['levels of fields', limits.MAX_QUERY_DEPTH],
    ['fields', limits.MAX_QUERY_FIELDS],
    ['aliases', limits.MAX_QUERY_ALIASES],
    ['`__schema` and `__type`', limits.MAX_QUERY_INTROSPECTIONS],
    ['fields in its answer', limits.MAX_ANSWER_FIELDS],
    ['operations at once', limits.MAX_OPERATIONS_PER_SOCKET],
    ['websockets', limits.MAX_WEBSOCKETS],
    ['s until `connection_init`', limits.CONNECTION_INIT_TIMEOUT_MS / 1_000],
    ['s in which it takes nothing', limits.SLOW_READER_TIMEOUT_MS / 1_000],
  ])('tells how many %s there may be', (what, limit) => {
    expect(page).toContain(` ${limit.toLocaleString('en')} ${what}`);
  });

  it('tells what answers in flight may hold together', () => {
    expect(page).toContain(`${limits.HEAVY_ANSWERS_AT_ONCE} times \`MAX_ANSWER_BYTES\` in flight`);
    expect(page).toContain(`wait for ${limits.HEAVY_ANSWER_WAIT_MS / 1_000} s at most`);
  });

  it('tells how often a websocket is pinged', () => {
    expect(page).toContain(`each ping, every ${limits.KEEP_ALIVE_MS / 1_000} s`);
  });
});
