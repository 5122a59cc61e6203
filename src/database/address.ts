import { StartError } from '../async/start-error.ts';

/** The place that a connection string names, as host:port: for messages, which must not hold its password. */
export function databaseAddress(connectionString: string): string {
  const { hostname, port, searchParams } = new URL(connectionString);
  const host = searchParams.get('host') ?? (hostname === '' ? 'localhost' : decodeURIComponent(hostname));
  return host.startsWith('/') ? host : `${host}:${port === '' ? '5432' : port}`;
}

/** The error of a start that finds no database, in words for the operator. */
export function unreachable(connectionString: string, cause: unknown): StartError {
  return new StartError(
    `The database at ${databaseAddress(connectionString)} cannot be reached: ${reasonOf(cause)}. ` +
      'Start it, or correct DATABASE_URL (or DATABASE_DIRECT_URL or DATABASE_MIGRATION_URL, where that is set).',
    { cause },
  );
}

/** A host name with several addresses fails with one error per address, and a message of none. */
function reasonOf(error: unknown): string {
  if (error instanceof AggregateError) return error.errors.map(reasonOf).join(', ');
  return error instanceof Error ? error.message : String(error);
}
