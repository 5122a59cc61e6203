import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join, posix } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, it, onTestFinished } from 'vitest';
import { makeTempFolder } from '../support/temp-folder.ts';

const run = promisify(execFile);
const ROOT = fileURLToPath(new URL('../../', import.meta.url));

it('the packed client builds itself, and holds all that it names', { timeout: 180_000 }, async () => {
  const folder = await makeTempFolder('tarball');
  onTestFinished(folder.remove);
  const pack = ['pack', './client', '--foreground-scripts=false', '--pack-destination', folder.path];
  await run('npm', pack, { cwd: ROOT });
  await run('tar', ['-xzf', join(folder.path, 'job-scheduler-client-0.1.0.tgz'), '-C', folder.path]);
  const { stdout } = await run('find', ['package', '-type', 'f'], { cwd: folder.path });
  const held = stdout
    .trim()
    .split('\n')
    .map((path) => posix.relative('package', path));
  expect(held).toEqual(
    expect.arrayContaining(['LICENSE', 'README.md', 'dist/schema.graphql', 'dist/persisted-documents.json']),
  );
  const read = (path: string) => readFile(join(folder.path, 'package', path), 'utf8');

  const { exports } = JSON.parse(await read('package.json')) as {
    exports: Record<string, string | Record<string, string>>;
  };
  const named = Object.values(exports).flatMap((one) =>
    Object.values(typeof one === 'string' ? { one } : one),
  );
  expect(named.map((path) => posix.normalize(path)).filter((path) => !held.includes(path))).toEqual([]);

  for (const map of held.filter((path) => path.endsWith('.map'))) {
    const { sources } = JSON.parse(await read(map)) as { sources: string[] };
    for (const source of sources) expect(held).toContain(posix.join(posix.dirname(map), source));
  }
});
