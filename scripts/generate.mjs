// Generates the Prisma client and Pothos' types into src/generated, if they are not there or were made from another
// schema or by other versions. Plain JavaScript, as it runs before anything that could compile it needs to be there.
import { execFileSync } from 'node:child_process';
import console from 'node:console';
import { createHash } from 'node:crypto';
import { cpSync, mkdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { delimiter, dirname, join } from 'node:path';
import process from 'node:process';
import { keepGenerated, root, versionOf } from './generated-folder.mjs';

const schemaFile = join(root, 'prisma', 'schema.prisma');
const require = createRequire(import.meta.url);

function fingerprint() {
  const versions = ['prisma', '@prisma/client', '@pothos/plugin-prisma'].map(versionOf);
  return createHash('sha256').update(versions.join()).update(readFileSync(schemaFile)).digest('hex');
}

/** The schema names its output relative to itself: beside a copy of it, everything is written into the copy's folder. */
function generateInto(folder) {
  mkdirSync(join(folder, 'prisma'), { recursive: true });
  cpSync(schemaFile, join(folder, 'prisma', 'schema.prisma'));
  const cli = join(dirname(require.resolve('prisma/package.json')), 'build', 'index.js');
  execFileSync(
    process.execPath,
    [cli, 'generate', '--no-hints', '--schema', join(folder, 'prisma', 'schema.prisma')],
    {
      cwd: root,
      stdio: 'pipe',
      env: {
        ...process.env,
        // Generators are commands that packages have installed; npm adds their folder, a plain `node` does not.
        PATH: `${join(root, 'node_modules', '.bin')}${delimiter}${process.env.PATH ?? ''}`,
        CHECKPOINT_DISABLE: '1',
        PRISMA_HIDE_UPDATE_MESSAGE: '1',
      },
    },
  );
  return join(folder, 'src', 'generated');
}

try {
  await keepGenerated({
    folder: join(root, 'src', 'generated'),
    fingerprint: fingerprint(),
    generate: generateInto,
  });
} catch (error) {
  console.error(`prisma generate failed:\n${error.stdout ?? ''}${error.stderr ?? error.message}`);
  process.exitCode = 1;
}
