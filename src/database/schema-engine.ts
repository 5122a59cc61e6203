import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { PrismaPg } from '@prisma/adapter-pg';
import {
  bindMigrationAwareSqlAdapterFactory,
  ColumnTypeEnum,
  DriverAdapterError,
  type SqlDriverAdapter,
  type SqlMigrationAwareDriverAdapterFactory,
} from '@prisma/driver-adapter-utils';
import * as bindings from '@prisma/schema-engine-wasm/schema_engine_bg';
import pg from 'pg';
import { inAnyTime, markStarted, recordingItsEnd } from './migration-record.ts';
import { sessionSettings } from './session.ts';

export type SchemaEngine = bindings.SchemaEngine;

/** Databases that the engine may talk to. */
export type EngineDatabases = {
  connectionString: string;
  /** An empty database that migrations are replayed into; only a comparison with the schema needs one. */
  shadowConnectionString?: string;
  /** How long to wait for a connection. */
  connectTimeoutMs?: number;
  /** How long the database may take to answer what is no migration's script. */
  answerTimeoutMs?: number;
  /** Once aborted, no further script is begun, and nothing else is waited for. */
  signal?: AbortSignal;
};

/** What we use of the global; the compiler's settings name no library that declares it, as those are the browser's. */
const { WebAssembly } = globalThis as unknown as {
  WebAssembly: {
    instantiate: (
      code: Uint8Array,
      imports: Record<string, unknown>,
    ) => Promise<{ instance: { exports: Record<string, unknown> } }>;
  };
};

let instantiated: Promise<void> | undefined;

/** Node's module loader does not import .wasm files, which the package's own entry relies on. */
async function instantiate(): Promise<void> {
  const bindingsPath = createRequire(import.meta.url).resolve('@prisma/schema-engine-wasm/schema_engine_bg');
  const code = await readFile(bindingsPath.replace(/\.js$/, '.wasm'));
  const { instance } = await WebAssembly.instantiate(code, {
    './schema_engine_bg.js': withoutLingeringTimers(),
  });
  bindings.__wbg_set_wasm(instance.exports);
  (instance.exports['__wbindgen_start'] as () => void)();
}

/**
 * The engine sets a timer of ten seconds when it takes its own lock, and never clears it; a command would only end
 * after that. Its connections keep the process alive for as long as it works.
 */
function withoutLingeringTimers(): Record<string, unknown> {
  const imports: Record<string, unknown> = { ...bindings };
  for (const name of Object.keys(imports).filter((key) => key.startsWith('__wbg_setTimeout_'))) {
    imports[name] = (callback: () => void, ms: number) => setTimeout(callback, ms).unref();
  }
  return imports;
}

type Work = {
  opened: SqlDriverAdapter[];
  /** Why the engine was kept from working on; its own error tells of what followed from that. */
  interruption?: unknown;
};

/**
 * Runs Prisma's schema engine, compiled to WebAssembly, over ordinary `pg` connections: no native engine is
 * ever needed or downloaded.
 */
export async function withSchemaEngine<T>(
  databases: EngineDatabases,
  use: (engine: SchemaEngine) => Promise<T>,
): Promise<T> {
  instantiated ??= instantiate();
  await instantiated;
  const work: Work = { opened: [] };
  const adapter = bindMigrationAwareSqlAdapterFactory(adapterFactory(databases, work));
  const engine = await bindings.SchemaEngine.new({ datamodels: undefined }, () => undefined, adapter);
  try {
    return await use(engine);
  } catch (error) {
    throw work.interruption ?? error;
  } finally {
    engine.free();
    // The engine gives its connections back only when it is done well; a second time does nothing.
    await Promise.all(work.opened.map((connection) => connection.dispose()));
  }
}

function adapterFactory(databases: EngineDatabases, work: Work): SqlMigrationAwareDriverAdapterFactory {
  const { connectTimeoutMs = 2_000, answerTimeoutMs = 15_000, signal } = databases;
  const connect = async (connectionString: string): Promise<SqlDriverAdapter> => {
    // One connection, so that what the engine sets or locks on it holds for all that it does.
    const pool = new pg.Pool({
      connectionString,
      max: 1,
      connectionTimeoutMillis: connectTimeoutMs,
      query_timeout: answerTimeoutMs,
      keepAlive: true,
      // eslint-disable-next-line @typescript-eslint/no-misused-promises -- pg-pool waits for it, which its types do not say
      onConnect: async (client) => {
        await client.query(sessionSettings(0));
      },
    });
    pool.on('error', () => undefined);
    // Losing the connection fails what runs on it; the event besides would end the process.
    pool.on('connect', (client) => client.on('error', () => undefined));
    const running = { isScript: false };
    cutOffWhenAborted(pool, signal, () => !running.isScript);
    const adapter = await new PrismaPg(pool).connect();
    letCharThrough(pool, adapter);
    adapter.dispose = async () => {
      if (!pool.ending) await pool.end();
    };
    adapter.executeScript = async (script) => {
      running.isScript = true;
      try {
        await executeMarked(pool, script, signal);
      } catch (error) {
        if (error instanceof DriverAdapterError) throw error;
        work.interruption = error;
        // The engine would record, on another connection, that the script failed, and it could not be tried again.
        await adapter.dispose();
        throw error;
      } finally {
        running.isScript = false;
      }
    };
    work.opened.push(adapter);
    return adapter;
  };
  return {
    provider: 'postgres',
    adapterName: '@prisma/adapter-pg',
    connect: () => connect(databases.connectionString),
    connectToShadowDb: () => {
      if (databases.shadowConnectionString === undefined)
        throw new Error('The engine asked for a shadow database, and none was given.');
      return connect(databases.shadowConnectionString);
    },
  };
}

/** A question that nobody waits for any more may have fallen silent; a script is let come to its end. */
function cutOffWhenAborted(pool: pg.Pool, signal: AbortSignal | undefined, mayCutOff: () => boolean): void {
  pool.on('connect', (client) => {
    const cutOff = (): void => {
      if (mayCutOff()) client.connection.stream.destroy();
    };
    signal?.addEventListener('abort', cutOff);
    client.once('end', () => signal?.removeEventListener('abort', cutOff));
  });
}

/** PostgreSQL's numbers of the type "char" and of arrays of it. The adapter knows only the second. */
const CHAR_OID = 18;
const CHAR_ARRAY_OID = 1002;

/**
 * Gives the engine columns of the one-byte type "char", which the system tables that it compares are full of. The
 * adapter refuses that type, so its columns go through the adapter under the name of the array type, which
 * the engine never asks for, and get their own back behind it.
 */
function letCharThrough(pool: pg.Pool, adapter: SqlDriverAdapter): void {
  const query = pool.query.bind(pool) as (...parameters: unknown[]) => Promise<pg.QueryResult>;
  const disguised = async (...parameters: unknown[]): Promise<pg.QueryResult> => {
    const result = await query(...parameters);
    // A script of several statements gives a list of results, which nobody reads.
    if (Array.isArray(result)) return result;
    for (const field of result.fields) {
      if (field.dataTypeID === CHAR_OID) field.dataTypeID = CHAR_ARRAY_OID;
    }
    return result;
  };
  Object.assign(pool, { query: disguised });

  const queryRaw = adapter.queryRaw.bind(adapter);
  adapter.queryRaw = async (statement) => {
    const { columnTypes, ...result } = await queryRaw(statement);
    const { Character, CharacterArray } = ColumnTypeEnum;
    return {
      ...result,
      columnTypes: columnTypes.map((type) => (type === CharacterArray ? Character : type)),
    };
  };
}

/** Marks that a migration's script is under way before it is, so that one which is stopped right then is known to be nobody else's. */
async function executeMarked(pool: pg.Pool, script: string, signal: AbortSignal | undefined): Promise<void> {
  const client = await pool.connect();
  try {
    const migrationId = await markStarted(client);
    signal?.throwIfAborted();
    await executeWhole(client, migrationId === undefined ? script : recordingItsEnd(script, migrationId));
  } finally {
    client.release();
  }
}

/**
 * Runs a migration's script as one statement string, which PostgreSQL treats as one transaction: it applies whole or
 * not at all, and so does the record of its end. The adapter's own way cuts the script at every semicolon, also those
 * within a function's body or a comment, and commits each piece.
 *
 * @throws DriverAdapterError where the script failed, another error where the connection was lost
 */
async function executeWhole(client: pg.ClientBase, script: string): Promise<void> {
  try {
    await client.query(inAnyTime(script));
  } catch (error) {
    // The last words of a server that hangs up are an error like any other; this tells them apart.
    const isLost = await client.query('ROLLBACK').then(
      () => false,
      () => true,
    );
    if (isLost || !(error instanceof pg.DatabaseError))
      throw new Error(`The connection to the database was lost: ${(error as Error).message}`, {
        cause: error,
      });
    const { code = 'XX000', severity = 'ERROR', message, detail, column, hint } = error;
    throw new DriverAdapterError({ kind: 'postgres', code, severity, message, detail, column, hint });
  }
}
