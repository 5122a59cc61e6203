import pg from 'pg';
import type { TestProject } from 'vitest/node';
import { startEmbeddedPostgres } from '../../src/database/embedded-postgres.ts';
import { migrate } from '../../src/database/migrate.ts';
import { makeTempFolder } from '../support/temp-folder.ts';

declare module 'vitest' {
  interface ProvidedContext {
    /** Connects as superuser; tests/support/database.ts makes each test's own database with it. */
    adminConnectionString: string;
    /** A migrated database that is copied, and never connected to. */
    templateDatabase: string;
  }
}

/** Nothing in the tests' databases needs to survive a power cut. */
const FAST = { fsync: 'off', synchronous_commit: 'off', full_page_writes: 'off', max_connections: '300' };

/** Starts one server for the whole run, with one migrated database in it that tests copy. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const server = await startServer();
  const templateDatabase = `template_${process.pid}`;
  await prepareTemplate(server.connectionString, templateDatabase);
  project.provide('adminConnectionString', server.connectionString);
  project.provide('templateDatabase', templateDatabase);
  return server.stop;
}

/** TEST_DATABASE_URL runs the tests against another server, such as an older version; its user must be a superuser. */
async function startServer(): Promise<{ connectionString: string; stop: () => Promise<void> }> {
  const given = process.env['TEST_DATABASE_URL'];
  if (given !== undefined) return { connectionString: given, stop: () => Promise.resolve() };

  const folder = await makeTempFolder('tests');
  const { connectionString, stop } = await startEmbeddedPostgres({ dataDir: folder.path, settings: FAST });
  return {
    connectionString,
    stop: async () => {
      await stop();
      await folder.remove();
    },
  };
}

async function prepareTemplate(adminConnectionString: string, name: string): Promise<void> {
  const admin = new pg.Client({ connectionString: adminConnectionString });
  await admin.connect();
  try {
    await admin.query(`CREATE DATABASE ${name}`);
    const template = new URL(adminConnectionString);
    template.pathname = `/${name}`;
    await migrate({ connectionString: template.href });
    // A single open connection, a forgotten client or autovacuum's, would refuse every copy.
    await admin.query(`ALTER DATABASE ${name} ALLOW_CONNECTIONS false IS_TEMPLATE true`);
  } finally {
    await admin.end();
  }
}
