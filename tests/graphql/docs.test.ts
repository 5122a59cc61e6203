import { readdir, readFile } from 'node:fs/promises';
import { parse, validate } from 'graphql';
import { describe, expect, it } from 'vitest';
import { schema } from '../../src/graphql/schema.ts';

const ROOT = new URL('../../', import.meta.url);
const BLOCK = /```graphql\n([\s\S]*?)```/g;

/** The API examples of a page, each block as one document, as GraphiQL accepts it. */
async function blocksOf(page: string): Promise<string[]> {
  const text = await readFile(new URL(page, ROOT), 'utf8');
  return [...text.matchAll(BLOCK)].map(([, source]) => source ?? '');
}

const docs = (await readdir(new URL('docs/', ROOT))).filter((name) => name.endsWith('.md'));
const pages = ['README.md', ...docs.map((name) => `docs/${name}`)];
const blocks = (
  await Promise.all(pages.map(async (page) => (await blocksOf(page)).map((source) => ({ page, source }))))
).flat();

describe('an API example of the documentation', () => {
  it('is found', () => {
    expect(new Set(blocks.map(({ page }) => page))).toContain('docs/operations.md');
  });

  it.each(blocks)('is valid in $page', ({ source }) => {
    expect(validate(schema, parse(source))).toEqual([]);
  });
});
