import { readFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { configReference } from '../src/config/config.ts';

const page = await readFile(new URL('../docs/configuration.md', import.meta.url), 'utf8');
/** The table's rows without the padding of the formatter. */
const rows = page
  .split('\n')
  .filter((line) => line.startsWith('| `'))
  .map((line) => line.replace(/\s+/g, ' '));

describe('docs/configuration.md', () => {
  it.each(configReference())('shows $name in its table with the actual values', (entry) => {
    const value = entry.default.startsWith('(') ? entry.default.slice(1, -1) : `\`${entry.default}\``;
    expect(rows).toContain(`| \`${entry.name}\` | ${value} | ${entry.description.replaceAll('|', '\\|')} |`);
  });

  it('names no unknown variable', () => {
    const names = rows
      .map((row) => /^\| `([A-Z][A-Z_]+)` \|/.exec(row)?.[1])
      .filter((name) => name !== undefined);
    expect(names.sort()).toEqual(
      configReference()
        .map(({ name }) => name)
        .sort(),
    );
  });
});
