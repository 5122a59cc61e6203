// Generates the Prisma client and Pothos' types into src/generated, if they are not there or were made from another
// schema or by other versions. Plain JavaScript, as it runs before anything that could compile it needs to be there.
import { execFileSync } from 'node:child_process';
import console from 'node:console';
import { createHash } from 'node:crypto';
import { cpSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { delimiter, dirname, join } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const schemaFile = join(root, 'prisma', 'schema.prisma');
const generated = join(root, 'src', 'generated');
const stampFile = join(generated, 'made-from');
const require = createRequire(import.meta.url);

/** Everything that the output depends on. Times of files would not tell: a checkout sets them anew. */
function fingerprint() {
  const versions = ['prisma', '@prisma/client', '@pothos/plugin-prisma'].map((name) => {
    const manifest = join(root, 'node_modules', name, 'package.json');
    return `${name}@${JSON.parse(readFileSync(manifest, 'utf8')).version}`;
  });
  return createHash('sha256').update(versions.join()).update(readFileSync(schemaFile)).digest('hex');
}

function isUpToDate(wanted) {
  return existsSync(stampFile) && readFileSync(stampFile, 'utf8') === wanted;
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
}

const wanted = fingerprint();
if (!isUpToDate(wanted)) {
  // Of two that generate at once, each works in a folder of its own, and one of two equal results is put in place.
  const folder = join(root, `.generating-${process.pid}`);
  try {
    generateInto(folder);
    writeFileSync(join(folder, 'src', 'generated', 'made-from'), wanted);
    if (!isUpToDate(wanted)) {
      if (existsSync(generated)) renameSync(generated, join(folder, 'replaced'));
      renameSync(join(folder, 'src', 'generated'), generated);
    }
  } catch (error) {
    if (!isUpToDate(wanted)) {
      console.error(`prisma generate failed:\n${error.stdout ?? ''}${error.stderr ?? error.message}`);
      process.exitCode = 1;
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
