import { chmod, cp, mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { locatePackage, runnableBinaries } from '../../src/database/embedded/binaries.ts';
import { dataFolder } from './embedded.ts';

it('makes the links that npm’s blocked install script would make', async () => {
  const source = await locatePackage();
  const folder = join(await dataFolder('package'), 'package');
  await cp(source.folder, folder, { recursive: true, verbatimSymlinks: true });
  await rm(join(folder, 'native', 'lib', 'libicuuc.so.60'));
  await rm(join(folder, 'native', 'lib', 'libicui18n.so.60'));

  const found = await runnableBinaries(
    { ...source, folder },
    undefined,
    join(folder, 'copies'),
    () => undefined,
  );
  expect(found.postgres).toBe(join(folder, 'native', 'bin', 'postgres'));
  expect(found.majorVersion).toBeGreaterThanOrEqual(18);
});

it('suggests DATABASE_URL when the programs do not run on this machine', async () => {
  const folder = await dataFolder('package');
  const bin = join(folder, 'native', 'bin');
  await mkdir(bin, { recursive: true });
  await writeFile(join(bin, 'postgres'), '#!/no/such/interpreter');
  await chmod(join(bin, 'postgres'), 0o755);

  const source = { folder, version: '1.0.0' };
  await expect(runnableBinaries(source, undefined, join(folder, 'copies'), () => undefined)).rejects.toThrow(
    /^No embedded PostgreSQL here: its programs do not run on this machine .*Set DATABASE_URL/s,
  );
});
