import pg from 'pg';

/**
 * Settings of a session that our statements rely on. `ALTER DATABASE`, `ALTER ROLE` and postgresql.conf give sessions
 * other ones, which neither fail nor warn. Under SERIALIZABLE, for example, claims and outcomes of two instances fail one another.
 *
 * Left to the database: memory, the planner's costs, how durable a commit is, and `default_transaction_read_only`,
 * by which operators and hosts with a full disk stop all writes.
 */
const SETTINGS: Readonly<Record<string, string>> = {
  default_transaction_isolation: 'read committed',
  default_transaction_deferrable: 'off',
  // Where the migrations make the tables, and where Prisma looks for them.
  search_path: 'public',
  // Transactions set a shorter one; this is for what begins one otherwise.
  idle_in_transaction_session_timeout: '60000',
  // A pool keeps idle connections for its own time, and the one that listens is always idle.
  idle_session_timeout: '0',
  // PostgreSQL 17 and later.
  transaction_timeout: '0',
  // A query that scans a long table takes one core and leaves the others to what is due.
  max_parallel_workers_per_gather: '0',
  // Prisma's adapter reads and writes instants without their zone: they are right only where the session's is UTC.
  TimeZone: 'UTC',
  DateStyle: 'ISO, MDY',
  IntervalStyle: 'postgres',
  bytea_output: 'hex',
  extra_float_digits: '1',
  array_nulls: 'on',
};

/**
 * The statement that gives a session our settings. Sent once the session stands, not among the parameters of its start:
 * poolers refuse those that they do not know. What a server does not know is left out.
 *
 * @param statementTimeoutMs how long a statement may take before the server ends it; 0 for any time
 * @param lockTimeoutMs how long it may wait for one lock of that; 0 for all of it
 */
export function sessionSettings(statementTimeoutMs: number, lockTimeoutMs = 0): string {
  const settings = Object.entries({
    ...SETTINGS,
    statement_timeout: `${statementTimeoutMs}`,
    lock_timeout: `${lockTimeoutMs}`,
  });
  const rows = settings.map(([name, value]) => `(${pg.escapeLiteral(name)}, ${pg.escapeLiteral(value)})`);
  return `SELECT set_config(name, value, false) FROM (VALUES ${rows.join(', ')}) AS ours (name, value)
    WHERE current_setting(name, true) IS NOT NULL`;
}
