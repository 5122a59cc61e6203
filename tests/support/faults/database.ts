import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { startEmbeddedPostgres, type EmbeddedPostgres } from '../../../src/database/embedded-postgres.ts';
import { makeTempFolder } from '../temp-folder.ts';

export type StopMode = 'fast' | 'immediate';

/** A PostgreSQL of the test's own that can be taken away; it comes back on the same port. */
export type FragileDatabase = {
  connectionString: string;
  /** Resolves when it is gone: `fast` ends its sessions and writes all down, `immediate` leaves recovery to the start. */
  stop: (mode: StopMode) => Promise<void>;
  /** Resolves when it accepts connections. */
  start: () => Promise<void>;
};

/** Commits are flushed to the system as in production: an immediate stop may lose nothing that was committed. */
const SETTINGS = { fsync: 'off' };

/** Starts one that is stopped and deleted at the test's end. */
export async function startFragileDatabase(): Promise<FragileDatabase> {
  const folder = await makeTempFolder('faults');
  onTestFinished(folder.remove);
  const launch = (port?: number): Promise<EmbeddedPostgres> =>
    startEmbeddedPostgres({ dataDir: folder.path, settings: SETTINGS, ...(port !== undefined && { port }) });
  let running = await launch();
  onTestFinished(() => running.stop());
  const { connectionString } = running;
  const port = Number(new URL(connectionString).port);
  return {
    connectionString,
    async stop(mode) {
      // Whoever keeps the server running would start it again; being stopped comes first for it.
      if (mode === 'immediate') process.kill(await postmasterPid(folder.path), 'SIGQUIT');
      await running.stop();
    },
    async start() {
      running = await launch(port);
    },
  };
}

async function postmasterPid(dataDir: string): Promise<number> {
  const [pid] = (await readFile(join(dataDir, 'postgres', 'cluster', 'postmaster.pid'), 'utf8')).split('\n');
  return Number(pid);
}
