import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest';
import { isAlive } from '../../src/database/embedded/cluster.ts';
import { makeTempFolder, type TempFolder } from '../support/temp-folder.ts';
import { until } from '../support/until.ts';
import { dataFolder, query, serverPid, start } from './embedded.ts';

type Owner = {
  child: ChildProcess;
  pid: number;
  dataDir: string;
  connectionString: string;
  serverPid: number;
};

/** A process in its own process group, with an embedded database that answers. */
async function startOwner(dataDir: string): Promise<Owner> {
  const script = join(import.meta.dirname, 'owner-process.ts');
  const child = spawn(process.execPath, ['--import', 'tsx', script, dataDir], {
    detached: true,
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  onTestFinished(() => void child.kill('SIGKILL'));
  // `data` or `end`: there is no line when the process fails.
  const [line = ''] = (await Promise.race([once(child.stdout, 'data'), once(child.stdout, 'end')])) as [
    Buffer?,
  ];
  return {
    child,
    pid: child.pid ?? 0,
    dataDir,
    connectionString: String(line).trim(),
    serverPid: await serverPid(dataDir),
  };
}

let shared: TempFolder;

beforeAll(async () => {
  shared = await makeTempFolder('owner death');
});

afterAll(() => shared.remove());

it.each([
  ['is killed with -9', (owner: Owner) => process.kill(owner.pid, 'SIGKILL')],
  ['is killed with -9 along with its process group', (owner: Owner) => process.kill(-owner.pid, 'SIGKILL')],
  ['ends by a signal that it does not handle', (owner: Owner) => process.kill(owner.pid, 'SIGTERM')],
  ['ends by a fault that nobody caught', (owner: Owner) => process.kill(owner.pid, 'SIGUSR2')],
])('leaves no server behind when its owner %s', async (_, end) => {
  const owner = await startOwner(shared.path);
  end(owner);
  await until(() => !isAlive(owner.serverPid), { what: 'the server is gone' });
});

it('lets the next start wait for the server of a killed owner to finish', async () => {
  const owner = await startOwner(await dataFolder());
  await query(owner.connectionString, 'CREATE TABLE kept AS SELECT 1 AS one');
  process.kill(owner.pid, 'SIGKILL');
  const { connectionString } = await start(owner.dataDir);
  expect(await query(connectionString, 'SELECT * FROM kept')).toEqual([{ one: 1 }]);
});

it('keeps the server through a Ctrl-C until its owner stops it', async () => {
  const owner = await startOwner(await dataFolder());
  // A terminal sends Ctrl-C to the whole process group.
  process.kill(-owner.pid, 'SIGINT');
  const [code] = (await once(owner.child, 'exit')) as [number | null];
  expect(code).toBe(0);
  expect(isAlive(owner.serverPid)).toBe(false);
});
