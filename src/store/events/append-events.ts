import { countEnds } from '../metrics/rollups.ts';
import type { Queryable } from '../statements/sql.ts';
import { toJsonb } from '../statements/sql.ts';
import { EVENT_FIELDS, type EventField, type EventRow } from './event-row.ts';

/**
 * Key of the advisory transaction lock under which positions are drawn. PostgreSQL releases it only after the
 * commit has become visible, so the transaction that draws the next position commits behind the last one: the order of positions
 * is the order of commits, and a reader that has passed a position has passed all before it.
 *
 * Rule for every writer: take it LAST. A transaction that waits for a row while it holds this lock can wait for
 * one that holds the row and waits for the lock. Behind it are written only rows that are locked by then, and rollups, see
 * {@link countEnds}: nobody who holds one waits for this lock.
 */
export const EVENT_LOG_LOCK = 7_265_001;

/**
 * The CTE `log_lock`: the log's lock, taken where any of the sets of rows is not empty. Counting them forces the statement
 * to write and to lock all of them first: the log's lock is always the last one taken.
 *
 * @param sets each what stands behind FROM; none where the lock is taken in any case
 */
export function logLockBehind(...sets: readonly string[]): string {
  const count = sets.map((set) => `(SELECT count(*) FROM ${set})`).join(' + ');
  const behind = sets.length === 0 ? '' : ` FROM (SELECT ${count} AS rows) AS written WHERE rows > 0`;
  return `log_lock AS MATERIALIZED (\n  SELECT pg_advisory_xact_lock(${EVENT_LOG_LOCK})${behind}\n)`;
}

/** An SQL expression for each field of new events; fields that are missing are null. */
type EventExpressions = Readonly<Record<'at' | 'kind', string> & Partial<Record<EventField, string>>>;

/** What each event of an execution takes from its row. */
export const OF_EXECUTION = {
  jobId: 'job_id',
  executionId: 'id',
  status: 'status',
  trigger: 'trigger',
  createdAt: 'created_at',
  scheduledAt: 'scheduled_at',
} as const satisfies Partial<Record<EventField, string>>;

/**
 * The statement that appends events, one for each row of `from`, in that order. It stands behind the CTE of
 * {@link logLockBehind} and joins it: nextval is computed above the join, so no position is drawn before the lock is held.
 */
export function appendEventsSql(events: EventExpressions, from: string): string {
  const fields = (Object.keys(EVENT_FIELDS) as EventField[]).filter((field) => events[field] !== undefined);
  return `INSERT INTO event_log (position, ${fields.map((field) => EVENT_FIELDS[field].column).join(', ')})
  SELECT nextval('event_log_position_seq'), ${fields.map((field) => events[field]).join(', ')}
  FROM log_lock, ${from}`;
}

/** What a command appends; the position is given by the log. */
export type NewEvent = Pick<EventRow, 'at' | 'kind'> & Partial<Omit<EventRow, 'position' | 'at' | 'kind'>>;

interface AppendOptions {
  /** CTEs that the writes draw on. */
  before?: string;
  /** Events that follow the given ones: an SQL expression for each field, and what stands behind FROM. */
  then?: { events: EventExpressions; from: string };
  /** False where no event tells of an end: to set up what counts them is a tenth of a small statement. */
  mayHoldEnds?: boolean;
}

const quoted = (field: string) => `"${field}"`;

/** Each field as a column of the same name. */
const GIVEN_FIELDS = Object.fromEntries(
  Object.keys(EVENT_FIELDS).map((field) => [field, quoted(field)]),
) as Record<EventField, string>;

const GIVEN_COLUMNS = Object.keys(EVENT_FIELDS).map(quoted).join(', ');

const GIVEN_EVENTS = Object.entries(EVENT_FIELDS)
  .map(([field, { type }]) => `${quoted(field)} ${type}`)
  .join(', ');

/** The same columns, of rows that are not given: what has no expression is null. */
function madeEvents({ events, from }: NonNullable<AppendOptions['then']>): string {
  const fields = Object.entries(EVENT_FIELDS) as [EventField, { type: string }][];
  return `SELECT ${fields.map(([field, { type }]) => `(${events[field] ?? 'NULL'})::${type} AS ${quoted(field)}`).join(', ')}
  FROM ${from}`;
}

/**
 * The text of a statement that makes other writes, takes the log's lock when they are done, and appends the events $1 in
 * the order given, counting the ends among them.
 *
 * @param writes inserts, by names of their own, without RETURNING
 */
export function appendBehind(
  writes: Readonly<Record<string, string>>,
  { before, then, mayHoldEnds = true }: AppendOptions = {},
): string {
  const written = Object.entries(writes).map(
    ([name, write]) => `${name} AS (\n  ${write}\n  RETURNING 1\n), `,
  );
  return `
-- append events in the order given, as the last statement of a transaction, and count the ends among them.
WITH ${before === undefined ? '' : `${before}, `}${written.join('')}event AS MATERIALIZED (
  (SELECT ${GIVEN_COLUMNS} FROM ROWS FROM (jsonb_to_recordset($1::jsonb) AS (${GIVEN_EVENTS})) WITH ORDINALITY AS e
  ORDER BY e.ordinality)${then === undefined ? '' : `\n  UNION ALL\n  (${madeEvents(then)})`}
), ${logLockBehind('event', ...Object.keys(writes))}${mayHoldEnds ? `, counted AS (\n  ${COUNT_ENDS}\n)` : ''}
${appendEventsSql(GIVEN_FIELDS, 'event')}`;
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
