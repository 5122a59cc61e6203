import { realpathSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import pg from 'pg';
import { onTestFinished } from 'vitest';
import { startEmbeddedPostgres, type EmbeddedPostgres } from '../../src/database/embedded-postgres.ts';
import { makeTempFolder } from '../support/temp-folder.ts';
import { FAST } from './fast-settings.ts';

/** A data folder that is removed at the end of the test. */
export async function dataFolder(name = 'embedded'): Promise<string> {
  const folder = await makeTempFolder(name);
  onTestFinished(folder.remove);
  return folder.path;
}

/** Starts a server. It stops at the end of the test, in whatever state it is. */
export async function start(dataDir: string, log?: (message: string) => void): Promise<EmbeddedPostgres> {
  const server = await startEmbeddedPostgres({ dataDir, settings: FAST, ...(log && { log }) });
  onTestFinished(server.stop);
  return server;
}

export function clusterFolder(dataDir: string): string {
  return join(realpathSync(join(dataDir, 'postgres')), 'cluster');
}

/** The process number in PostgreSQL's own lock file. */
export async function serverPid(dataDir: string): Promise<number> {
  return Number.parseInt(await readFile(join(clusterFolder(dataDir), 'postmaster.pid'), 'utf8'), 10);
}

export async function query(connectionString: string, statement: string): Promise<unknown[]> {
  const client = new pg.Client({ connectionString, connectionTimeoutMillis: 2_000 });
  client.on('error', () => undefined);
  try {
    await client.connect();
    return (await client.query<Record<string, unknown>>(statement)).rows;
  } finally {
    await client.end().catch(() => undefined);
  }
}
