// Generates the typed documents of the client package into client/src/generated, if they are not there or were made
// from another schema, other documents or by other versions. Fails where a document does not fit schema.graphql.
import console from 'node:console';
import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import process from 'node:process';
import { keepGenerated, root, versionOf } from './generated-folder.mjs';

const documents = join(root, 'client', 'documents');

function fingerprint() {
  const hash = createHash('sha256');
  hash.update(['graphql', '@graphql-codegen/cli', '@graphql-codegen/client-preset'].map(versionOf).join());
  const files = [
    join(root, 'codegen.ts'),
    join(root, 'client', 'src', 'codegen.ts'),
    join(root, 'scripts', 'codegen-facts.mjs'),
    join(root, 'scripts', 'codegen-introspection.mjs'),
    join(root, 'schema.graphql'),
    ...readdirSync(documents)
      .sort()
      .map((name) => join(documents, name)),
  ];
  for (const file of files) {
    const content = readFileSync(file);
    hash.update(`${basename(file)}\0${content.length}\0`).update(content);
  }
  return hash.digest('hex');
}

async function generateInto(folder) {
  // Takes a second to load, and is rarely needed.
  const { generate, loadContext } = await import('@graphql-codegen/cli');
  const files = await generate(await loadContext(join(root, 'codegen.ts')), false);
  const made = join(folder, 'generated');
  mkdirSync(made);
  for (const { filename, content } of files) {
    // The preset's tag function would bring every document, twice, into each page that uses one.
    if (basename(filename) !== 'gql.ts') writeFileSync(join(made, basename(filename)), content);
  }
  return made;
}

try {
  await keepGenerated({
    folder: join(root, 'client', 'src', 'generated'),
    fingerprint: fingerprint(),
    generate: generateInto,
  });
} catch (error) {
  console.error(`The client's documents could not be generated:\n${error.message}`);
  process.exitCode = 1;
}
