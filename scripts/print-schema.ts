import { readFile, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { lexicographicSortSchema, printSchema } from 'graphql';
import { schema } from '../src/graphql/schema.ts';

/**
 * Prints the schema to schema.graphql, sorted so that a diff shows only what changed. With `--check` it writes nothing
 * and exits 1 where the file is not what the code says.
 */
const FILE = fileURLToPath(new URL('../schema.graphql', import.meta.url));

const printed = `${printSchema(lexicographicSortSchema(schema))}\n`;
if (process.argv.includes('--check')) {
  const committed = await readFile(FILE, 'utf8').catch(() => '');
  if (committed !== printed) {
    console.error('schema.graphql is not what the code says; run: npm run schema:print');
    console.error(firstDifference(committed, printed));
    process.exitCode = 1;
  }
} else {
  await writeFile(FILE, printed);
}

/** The first lines that differ, with their number: a whole diff is git's business. */
function firstDifference(committed: string, current: string): string {
  const [before, after] = [committed.split('\n'), current.split('\n')];
  const line = after.findIndex((text, index) => text !== before[index]);
  const index = line === -1 ? after.length : line;
  return `line ${index + 1}\n- ${before[index] ?? '(nothing)'}\n+ ${after[index] ?? '(nothing)'}`;
}
