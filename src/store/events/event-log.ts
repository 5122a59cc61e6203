import type { QueryResultRow } from 'pg';
import type { Queryable } from '../statements/sql.ts';
import { EVENT_FIELDS, type EventRow } from './event-row.ts';

const EVENT_COLUMNS = [
  'position',
  ...Object.entries(EVENT_FIELDS).map(([field, { column }]) => `${column} AS "${field}"`),
].join(', ');

/** Where the log stands: what a new subscriber starts from and what an old cursor is checked against. */
export interface EventLogState {
  /**
   * Changes when the database was restored, or failed over to a timeline of its own: positions of another epoch
   * mean nothing here.
   */
  epoch: string;
  /** The position of the newest event, 0 where there is none. */
  tip: bigint;
  /** Events up to here are no longer kept. */
  prunedThrough: bigint;
}

/**
 * The epoch hashes what a restore or a failover cannot carry over: the timeline (first 8 digits of a WAL file's name; a
 * promoted standby starts a new one; empty on managed servers that do not tell), and the identity of database and table
 * (a restored dump has new ones).
 */
const STATE = `
SELECT left(md5(concat_ws('/', state.epoch, event_log_timeline(),
              (SELECT oid FROM pg_database WHERE datname = current_database()), 'event_log'::regclass::oid)), 12) AS epoch,
       coalesce((SELECT max(position) FROM event_log), state.pruned_through) AS tip,
       state.pruned_through AS "prunedThrough"
FROM event_log_state AS state`;

/** Where the log stands, in one snapshot. */
export async function readEventLogState(db: Queryable): Promise<EventLogState> {
  const { rows } = await db.query<EventLogState & QueryResultRow>({
    name: 'event-log-state',
    text: STATE,
  });
  const [state] = rows;
  if (!state) throw notMigrated();
  return state;
}

/**
 * The last position that was given out. Lines of executions' logs have positions of the same sequence, and may be newer
 * than every event.
 */
export async function readLastPosition(db: Queryable): Promise<bigint> {
  const { rows } = await db.query<{ last: bigint }>({
    name: 'last-position',
    text: 'SELECT last_value AS last FROM event_log_position_seq',
  });
  return rows[0]?.last ?? 0n;
}

const READ_LOG = `
-- the events behind $1, at most $2, together with the state of the log: one snapshot, so that no event can be pruned,
-- nor the log be exchanged for another, between the two. One row with nulls where there is no event.
-- Materialized: the epoch is computed once, not for each event.
WITH state AS MATERIALIZED (${STATE})
SELECT state.epoch, state.tip, state."prunedThrough", event.*
FROM state LEFT JOIN (SELECT ${EVENT_COLUMNS} FROM event_log WHERE position > $1 ORDER BY position LIMIT $2) AS event
  ON true
ORDER BY event.position`;

/** The events behind `after`, in order, at most `limit`, and where the log stands. */
export async function readLog(
  db: Queryable,
  after: bigint,
  limit: number,
): Promise<{ state: EventLogState; events: EventRow[] }> {
  type Row = EventLogState & (EventRow | { position: null });
  const { rows } = await db.query<Row & QueryResultRow>({
    name: 'read-log',
    text: READ_LOG,
    values: [after.toString(), limit],
  });
  let state: EventLogState | undefined;
  const events: EventRow[] = [];
  for (const { epoch, tip, prunedThrough, ...event } of rows) {
    state ??= { epoch, tip, prunedThrough };
    if (event.position !== null) events.push(event);
  }
  if (!state) throw notMigrated();
  return { state, events };
}

/** The same without the state. */
export async function readEvents(db: Queryable, after: bigint, limit: number): Promise<EventRow[]> {
  return (await readLog(db, after, limit)).events;
}

function notMigrated(): Error {
  return new Error('event_log_state has no row: the database was not migrated');
}

/** The end of bigint: no position lies behind it. */
const MAX_POSITION = '9223372036854775807';

const PRUNE_EVENTS = `
-- delete up to $2 of the oldest events from before $1, and move the floor in the same transaction, so that no cursor
-- can fall between what is gone and what is said to be gone.
-- What alerts have not been asked about yet stays, however old: an alert would be lost with it. Asked of the oldest
-- events only: a bound on the position beside that on the time has the planner walk the whole log where nothing is old.
WITH unread AS MATERIALIZED (
  SELECT greatest(r.position, a.since) AS after
  FROM alert_reader AS r, (SELECT min(since_position) AS since FROM job_alerts WHERE enabled) AS a
  WHERE a.since IS NOT NULL
), oldest AS MATERIALIZED (SELECT position FROM event_log WHERE at < $1 ORDER BY position LIMIT $2),
doomed AS MATERIALIZED (
  SELECT position FROM oldest WHERE position <= coalesce((SELECT after FROM unread), ${MAX_POSITION})
),
gone AS (DELETE FROM event_log WHERE position IN (SELECT position FROM doomed) RETURNING position),
floor AS (UPDATE event_log_state SET pruned_through = greatest(pruned_through, (SELECT max(position) FROM doomed))
          WHERE EXISTS (SELECT FROM doomed))
SELECT count(*)::int AS count FROM gone`;

/**
 * Deletes up to `limit` events from before `before`, none of which the reader for alerts has still to read; answers how
 * many went.
 */
export async function pruneEvents(db: Queryable, before: Date, limit: number): Promise<number> {
  const { rows } = await db.query<{ count: number }>({ text: PRUNE_EVENTS, values: [before, limit] });
  return rows[0]?.count ?? 0;
}
