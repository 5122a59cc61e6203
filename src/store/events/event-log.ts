import type { QueryResultRow } from 'pg';
import type {
  EventKind,
  ExecutionStatus,
  ExecutionTrigger,
  FailureReason,
} from '../../generated/prisma/enums.ts';
import { countEnds } from '../metrics/rollups.ts';
import type { Queryable } from '../statements/sql.ts';
import { toJsonb } from '../statements/sql.ts';

/**
 * Key of the advisory transaction lock under which positions are drawn. PostgreSQL releases it only after the
 * commit has become visible, so whoever draws the next position commits behind the last one: the order of positions
 * is the order of commits, and a reader that has passed a position has passed all before it.
 *
 * Rule for every writer: take it LAST. A transaction that waits for a row while it holds this lock can wait for
 * one that holds the row and waits for the lock. Behind it are written only rows that are locked by then, and rollups, see
 * {@link countEnds}: nobody who holds one waits for this lock.
 */
export const EVENT_LOG_LOCK = 7_265_001;

/** One row of the log. Instants are Dates, `position` is a bigint as the column is. */
export interface EventRow {
  position: bigint;
  at: Date;
  kind: EventKind;
  jobId: string | null;
  executionId: string | null;
  status: ExecutionStatus | null;
  previousStatus: ExecutionStatus | null;
  attempt: number | null;
  trigger: ExecutionTrigger | null;
  createdAt: Date | null;
  scheduledAt: Date | null;
  startedAt: Date | null;
  finishedAt: Date | null;
  durationMs: number | null;
  latenessMs: number | null;
  failureReason: FailureReason | null;
  responseStatus: number | null;
  errorMessage: string | null;
  instanceId: string | null;
  data: unknown;
}

/** What a command appends; the position is given by the log. */
export type NewEvent = Pick<EventRow, 'at' | 'kind'> & Partial<Omit<EventRow, 'position' | 'at' | 'kind'>>;

interface AppendOptions {
  /** False where no event tells of an end: to set up what counts them is a tenth of a small statement. */
  mayHoldEnds?: boolean;
}

/**
 * The text of a statement that makes other writes, takes the log's lock when they are done, and appends the events $1 in
 * the order given, counting the ends among them.
 *
 * @param writes inserts, by names of their own, without RETURNING
 */
export function appendBehind(
  writes: Readonly<Record<string, string>>,
  { mayHoldEnds = true }: AppendOptions = {},
): string {
  const names = Object.keys(writes);
  const written = ['0', ...names.map((name) => `(SELECT count(*) FROM ${name})`)].join(' + ');
  return `
-- append events in the order given, as the last statement of a transaction, and count the ends among them.
-- The lock stands in a materialized CTE that the insert joins: nextval is computed above the join, so no position
-- is drawn before the lock is held. It counts what else is written, lest that wait for a row with the lock held.
WITH ${names.map((name) => `${name} AS (\n  ${writes[name]}\n  RETURNING 1\n), `).join('')}log_lock AS MATERIALIZED (
  SELECT pg_advisory_xact_lock(${EVENT_LOG_LOCK}) WHERE ${written} >= 0
), event AS (
  SELECT e.* FROM ROWS FROM (jsonb_to_recordset($1::jsonb) AS (
    at timestamptz, kind event_kind, "jobId" uuid, "executionId" uuid, status execution_status,
    "previousStatus" execution_status, attempt int, trigger execution_trigger, "createdAt" timestamptz,
    "scheduledAt" timestamptz, "startedAt" timestamptz, "finishedAt" timestamptz, "durationMs" int, "latenessMs" int,
    "failureReason" failure_reason, "responseStatus" int, "errorMessage" text, "instanceId" text, data jsonb))
    WITH ORDINALITY AS e
  ORDER BY e.ordinality
)${mayHoldEnds ? `, counted AS (\n  ${COUNT_ENDS}\n)` : ''}
INSERT INTO event_log (position, at, kind, job_id, execution_id, status, previous_status, attempt, trigger, created_at,
  scheduled_at, started_at, finished_at, duration_ms, lateness_ms, failure_reason, response_status, error_message,
  instance_id, data)
SELECT nextval('event_log_position_seq'), at, kind, "jobId", "executionId", status, "previousStatus", attempt, trigger,
  "createdAt", "scheduledAt", "startedAt", "finishedAt", "durationMs", "latenessMs", "failureReason", "responseStatus",
  "errorMessage", "instanceId", data
FROM log_lock, event`;
}

const COUNT_ENDS =
  countEnds(`SELECT "jobId" AS job_id, status, "finishedAt" AS at, "durationMs" AS duration_ms,
    "latenessMs" AS lateness_ms
  FROM log_lock, event WHERE "finishedAt" IS NOT NULL`);

const APPEND_EVENTS = appendBehind({});

/**
 * Appends events inside the caller's transaction, and counts the executions that they say have ended. Must be its last
 * write (see {@link EVENT_LOG_LOCK}): the lock is held until the commit.
 */
export async function appendEvents(tx: Queryable, events: readonly NewEvent[]): Promise<void> {
  if (events.length === 0) return;
  await tx.query({ name: 'append-events', text: APPEND_EVENTS, values: [toJsonb(events)] });
}

const EVENT_COLUMNS = `position, at, kind, job_id AS "jobId", execution_id AS "executionId", status,
  previous_status AS "previousStatus", attempt, trigger, created_at AS "createdAt", scheduled_at AS "scheduledAt",
  started_at AS "startedAt", finished_at AS "finishedAt", duration_ms AS "durationMs", lateness_ms AS "latenessMs",
  failure_reason AS "failureReason", response_status AS "responseStatus", error_message AS "errorMessage",
  instance_id AS "instanceId", data`;

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
