import { readdir, readFile } from 'node:fs/promises';
import { Kind, parse, validate } from 'graphql';
import { describe, expect, it } from 'vitest';
import { schema } from '../../src/graphql/schema.ts';

const ROOT = new URL('../../', import.meta.url);
const BLOCK = /```graphql\n([\s\S]*?)```/g;

/** Every operation that a page shows, each as a client would send it alone. */
async function operationsIn(page: string): Promise<string[]> {
  const text = await readFile(new URL(page, ROOT), 'utf8');
  return [...text.matchAll(BLOCK)].map(([, source]) => source ?? '');
}

const docs = (await readdir(new URL('docs/', ROOT))).filter((name) => name.endsWith('.md'));
const pages = ['README.md', ...docs.map((name) => `docs/${name}`)];
const blocks = (
  await Promise.all(pages.map(async (page) => (await operationsIn(page)).map((source) => ({ page, source }))))
).flat();

describe('what the documentation shows of the API', () => {
  it('is found', () => {
    expect(new Set(blocks.map(({ page }) => page))).toContain('docs/operations.md');
  });

  it.each(blocks)('is valid in $page', ({ source }) => {
    for (const definition of parse(source).definitions) {
      expect(validate(schema, { kind: Kind.DOCUMENT, definitions: [definition] })).toEqual([]);
    }
  });
});
