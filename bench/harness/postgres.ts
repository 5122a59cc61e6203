import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { startEmbeddedPostgres } from '../../src/database/embedded-postgres.ts';
import { migrate } from '../../src/database/migrate.ts';
import { cpuMsOfTree } from './cpu.ts';

/** What the database has done since it was asked the last time. */
export type DatabaseWork = { statements: number; cpuMs: number; walBytes: number };

export type Postgres = {
  /** A migrated, empty database of its own. */
  createDatabase: () => Promise<BenchDatabase>;
  stop: () => Promise<void>;
};

export type BenchDatabase = {
  connectionString: string;
  pool: pg.Pool;
  /** Starts counting anew. */
  mark: () => Promise<void>;
  /** What was done since the mark, by everybody but the bench itself. */
  work: () => Promise<DatabaseWork>;
  /** The statements that took most of the database's time since the mark, one line each. */
  profile: () => Promise<string[]>;
  drop: () => Promise<void>;
};

const TEMPLATE = 'bench_template';

/** Starts a PostgreSQL with its default durability that counts the statements it is sent. */
export async function startPostgres(): Promise<Postgres> {
  const folder = await mkdtemp(join(tmpdir(), 'bench-'));
  const { connectionString, stop } = await startEmbeddedPostgres({
    dataDir: folder,
    settings: {
      shared_preload_libraries: 'pg_stat_statements',
      'pg_stat_statements.track': 'top',
      max_connections: '200',
    },
  });
  const postmaster = await postmasterPid(folder);
  const admin = new pg.Client({ connectionString });
  await admin.connect();
  await admin.query(`CREATE DATABASE ${TEMPLATE}`);
  await migrate({ connectionString: databaseUrl(connectionString, TEMPLATE) });
  let made = 0;
  return {
    async createDatabase() {
      made += 1;
      const name = `bench_${made}`;
      await admin.query(`CREATE DATABASE ${name} TEMPLATE ${TEMPLATE}`);
      const database = openDatabase(databaseUrl(connectionString, name), postmaster);
      return {
        ...database,
        async drop() {
          await database.pool.end();
          await admin.query(`DROP DATABASE ${name} WITH (FORCE)`);
        },
      };
    },
    async stop() {
      await admin.end();
      await stop();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

function openDatabase(connectionString: string, postmaster: number): Omit<BenchDatabase, 'drop'> {
  const pool = new pg.Pool({ connectionString, max: 4, application_name: 'bench' });
  // Ended with its database.
  pool.on('error', () => undefined);
  const read = async () => {
    const { rows } = await pool.query<{ statements: number; lsn: string }>(
      `SELECT (SELECT coalesce(sum(calls), 0)::int FROM pg_stat_statements AS s
          JOIN pg_database AS d ON d.oid = s.dbid WHERE d.datname = current_database()) AS statements,
        pg_current_wal_lsn() - '0/0' AS lsn`,
    );
    return {
      statements: rows[0]?.statements ?? 0,
      wal: Number(rows[0]?.lsn),
      cpuMs: cpuMsOfTree(postmaster),
    };
  };
  let marked = { statements: 0, wal: 0, cpuMs: 0 };
  return {
    connectionString,
    pool,
    async mark() {
      await pool.query('CREATE EXTENSION IF NOT EXISTS pg_stat_statements');
      await pool.query('SELECT pg_stat_statements_reset()');
      marked = await read();
    },
    async profile() {
      const { rows } = await pool.query<{ line: string }>(
        `SELECT format('%s calls %s ms total %s ms each %s WAL bytes each  %s', calls, round(total_exec_time),
            round((total_exec_time / calls)::numeric, 3), round(wal_bytes / calls), left(regexp_replace(query, '\\s+', ' ', 'g'), 90)) AS line
         FROM pg_stat_statements AS s JOIN pg_database AS d ON d.oid = s.dbid
         WHERE d.datname = current_database() ORDER BY total_exec_time DESC LIMIT 12`,
      );
      return rows.map(({ line }) => line);
    },
    async work() {
      const now = await read();
      return {
        // The look itself is one.
        statements: now.statements - marked.statements - 1,
        cpuMs: now.cpuMs - marked.cpuMs,
        walBytes: now.wal - marked.wal,
      };
    },
  };
}

function databaseUrl(connectionString: string, name: string): string {
  const url = new URL(connectionString);
  url.pathname = `/${name}`;
  return url.href;
}

async function postmasterPid(dataDir: string): Promise<number> {
  const file = await readFile(join(dataDir, 'postgres', 'cluster', 'postmaster.pid'), 'utf8');
  return Number(file.split('\n')[0]);
}
