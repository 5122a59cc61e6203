import {
  chmod,
  cp,
  lstat,
  mkdir,
  readlink,
  readdir,
  readFile,
  realpath,
  rm,
  stat,
  symlink,
  writeFile,
} from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { unprivilegedAccount } from '../../src/database/embedded/account.ts';
import { locatePackage, runnableBinaries } from '../../src/database/embedded/binaries.ts';
import { clusterFolder, dataFolder, query, serverPid, start } from './embedded.ts';

const isRoot = process.getuid?.() === 0;

/** A folder that only root can enter, like root's home. */
async function closedFolder(): Promise<string> {
  const path = join(await dataFolder('closed folder'), 'closed');
  await mkdir(path, { mode: 0o700 });
  return path;
}

describe.skipIf(!isRoot)(
  'as root (skipped for other users: only root can start a process under another account)',
  () => {
    it('runs the server under an unprivileged account', async () => {
      const dataDir = await dataFolder();
      const { connectionString } = await start(dataDir);
      await query(connectionString, 'SELECT 1');
      const { uid } = await stat(`/proc/${await serverPid(dataDir)}`);
      expect(uid).not.toBe(0);
      expect(uid).toBe((await stat(clusterFolder(dataDir))).uid);
    });

    it('stores the database elsewhere, behind a link, when the account cannot enter the folder', async () => {
      const dataDir = join(await closedFolder(), 'data');
      const log: string[] = [];
      const first = await start(dataDir, (message) => log.push(message));
      const place = await realpath(join(dataDir, 'postgres'));
      onTestFinished(() => rm(place, { recursive: true, force: true }));
      await query(first.connectionString, 'CREATE TABLE kept AS SELECT 1 AS one');
      await first.stop();
      expect(log.filter((message) => message.includes('kept elsewhere'))).toHaveLength(1);
      expect((await lstat(join(dataDir, 'postgres'))).isSymbolicLink()).toBe(true);
      expect(await readFile(join(place, 'README'), 'utf8')).toContain(dataDir);

      const second = await start(dataDir, (message) => log.push(message));
      expect(await query(second.connectionString, 'SELECT * FROM kept')).toEqual([{ one: 1 }]);
      expect(log.filter((message) => message.includes('kept elsewhere'))).toHaveLength(1);
    });

    it('follows no link that the account has put in place of its log', async () => {
      const dataDir = await dataFolder();
      await (await start(dataDir)).stop();
      const victim = join(await closedFolder(), 'victim');
      await writeFile(victim, 'of root\n', { mode: 0o600 });
      const log = join(dataDir, 'postgres', 'postgres.log');
      await rm(log);
      await symlink(victim, log);
      await expect(start(dataDir)).rejects.toThrow(
        `DATA_DIR is ${dataDir}, which cannot be used: ${log} has a link in its path that may not be followed.`,
      );
      expect(await readFile(victim, 'utf8')).toBe('of root\n');
      expect((await stat(victim)).uid).toBe(0);
    });

    it.each(['PG_VERSION', 'job_scheduler.password'])(
      'shows nothing of a file when the account has linked its %s to it',
      async (name) => {
        const dataDir = await dataFolder();
        await (await start(dataDir)).stop();
        const victim = join(await closedFolder(), 'victim');
        await writeFile(victim, 'of-root', { mode: 0o600 });
        const file = join(clusterFolder(dataDir), name);
        await rm(file);
        await symlink(victim, file);
        const told: string[] = [];
        const started = start(dataDir, (message) => told.push(message)).catch(String);
        const answer = await started;
        const shown = typeof answer === 'string' ? answer : answer.connectionString;
        expect([shown, ...told].join('\n')).not.toContain('of-root');
      },
    );

    it('starts empty after the data folder was deleted', async () => {
      const dataDir = join(await closedFolder(), 'data');
      await (await start(dataDir)).stop();
      const oldPlace = await readlink(join(dataDir, 'postgres'));
      onTestFinished(() => rm(oldPlace, { recursive: true, force: true }));
      await rm(dataDir, { recursive: true });

      await start(dataDir);
      const newPlace = await readlink(join(dataDir, 'postgres'));
      onTestFinished(() => rm(newPlace, { recursive: true, force: true }));
      expect(newPlace).not.toBe(oldPlace);
    });

    it('reports a broken link to the database instead of starting empty', async () => {
      const dataDir = join(await closedFolder(), 'data');
      await (await start(dataDir)).stop();
      await rm(await realpath(join(dataDir, 'postgres')), { recursive: true });
      await expect(start(dataDir)).rejects.toThrow('is a link to a folder that does not exist');
    });

    it('copies the programs once when the account cannot reach them', async () => {
      const source = await locatePackage();
      const hidden = join(await closedFolder(), 'package');
      await cp(source.folder, hidden, { recursive: true, verbatimSymlinks: true });
      // The state that npm leaves when it blocks install scripts and the user's umask is strict.
      await rm(join(hidden, 'native', 'lib', 'libicuuc.so.60'));
      await chmod(join(hidden, 'native', 'share'), 0o700);
      const copies = await dataFolder('copies of programs');
      const log: string[] = [];
      const makeRunnable = async () =>
        runnableBinaries({ ...source, folder: hidden }, await unprivilegedAccount(), copies, (message) =>
          log.push(message),
        );

      const [one, two] = await Promise.all([makeRunnable(), makeRunnable()]);
      expect(one).toEqual(two);
      expect(one.postgres.startsWith(copies)).toBe(true);
      expect(await readdir(copies)).toEqual([`postgresql-${source.version}`]);
      log.length = 0;
      expect(await makeRunnable()).toEqual(one);
      expect(log).toEqual([]);
    });
  },
);
