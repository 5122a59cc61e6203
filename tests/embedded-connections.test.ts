import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { createApp } from '../src/app.ts';
import { loadConfig } from '../src/config/config.ts';
import { clusterFolder, dataFolder } from './database/embedded.ts';

it('the embedded database has room for as many connections as the pools may open', async () => {
  const dataDir = await dataFolder();
  const app = createApp(
    loadConfig({ DATA_DIR: dataDir, DATABASE_POOL_MAX: '1000', DATABASE_API_POOL_MAX: '100', PORT: '0' }),
  );
  onTestFinished(app.stop);
  await app.start();
  const options = await readFile(join(clusterFolder(dataDir), 'postmaster.opts'), 'utf8');
  expect(/max_connections=(\d+)/.exec(options)?.[1]).toBe('1122');
});
