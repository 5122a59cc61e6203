import type { PlainSlot } from '../../domain/schedule/plain-slot.ts';
import { ATTEMPT_OF_JOB, claimedOf, type ClaimedExecution, type ClaimedRow } from './claimed-rows.ts';
import { EVENT_LOG_LOCK } from '../events/event-log.ts';
import { leaseEndSql } from './leases.ts';
import { toJsonb, type Queryable, type Statement } from '../statements/sql.ts';

/** A plain slot, and the job as it was when that was found. */
export interface JobSlot extends PlainSlot {
  /** The job's version then. */
  version: number;
  /** Host and port of its URL. */
  host: string;
}

/** A slot that is about to come, ready to be sent: by the time that it has come there are better things to do. */
export interface PrefetchedSlot extends JobSlot {
  /** What the statement reads of it, as JSON. */
  row: string;
}

export function prefetchedSlot(slot: JobSlot): PrefetchedSlot {
  return { row: toJsonb(slot), ...slot };
}

export interface StartSlotsOptions {
  /** `starts`: its execution is claimed at once for this instance. */
  slots: readonly (Pick<PrefetchedSlot, 'row'> & { starts: boolean })[];
  instanceId: string;
  now: Date;
  leaseExpiresAt: Date;
}

export interface StartedSlots {
  /** Jobs that were as foreseen, and have moved on. The others are held by somebody, or have changed. */
  jobIds: string[];
  /** New executions. */
  executions: number;
  /** Those of them that this instance has claimed. */
  claimed: ClaimedExecution[];
}

/**
 * Makes executions and moves their jobs on: the rows of `held`, `planned` and `moved`. Before it holds any job it reads the one
 * row of `bounds`.
 */
const MAKE = `held AS MATERIALIZED (
  SELECT s."executionId", s."scheduledAt", s."availableAt", s."nextRunAt", s.priority, s."maxAttempts", s.host, s.starts, j.*
  FROM ROWS FROM (jsonb_to_recordset($1::jsonb) AS ("executionId" uuid, "jobId" uuid, version int,
    "scheduledAt" timestamptz, "availableAt" timestamptz, "nextRunAt" timestamptz, priority int, "maxAttempts" int,
    host text), unnest($5::boolean[]))
    AS s("executionId", "jobId", version, "scheduledAt", "availableAt", "nextRunAt", priority, "maxAttempts", host, starts),
  bounds, LATERAL (
    SELECT j.id, j.body, ${ATTEMPT_OF_JOB.selection} FROM jobs AS j
    WHERE bounds."areSet" AND j.id = s."jobId" AND j.version = s.version AND j.next_run_at = s."scheduledAt" AND NOT EXISTS (
      SELECT FROM job_executions AS e
      WHERE e.job_id = j.id AND e.skip_reason = 'OPERATOR' AND e.scheduled_at >= j.next_run_at)
    FOR NO KEY UPDATE OF j SKIP LOCKED
  ) AS j
), planned AS (
  INSERT INTO job_executions (id, job_id, status, trigger, scheduled_at, created_at, available_at, priority, host,
    max_attempts, claim_seq, attempt_count, claimed_by, lease_expires_at, started_at, attempt_started_at, lateness_ms)
  SELECT "executionId", id, CASE WHEN starts THEN 'RUNNING' ELSE 'PENDING' END::execution_status, 'SCHEDULE',
    "scheduledAt", $3, "availableAt", priority, host, "maxAttempts", starts::int, starts::int,
    CASE WHEN starts THEN $2 END, CASE WHEN starts THEN ${leaseEndSql('$4', '$3')} END, CASE WHEN starts THEN $3::timestamptz END,
    CASE WHEN starts THEN $3::timestamptz END,
    CASE WHEN starts THEN greatest(extract(epoch FROM ($3::timestamptz - "scheduledAt")) * 1000, 0)::int END
  FROM held
  ON CONFLICT DO NOTHING
  RETURNING *
), moved AS (
  UPDATE jobs SET next_run_at = held."nextRunAt"
  FROM held WHERE jobs.id = ANY (ARRAY(SELECT id FROM held)) AND jobs.id = held.id
  RETURNING jobs.id
)`;

/** Tells of the executions `planned`, with the lock of `log_lock`. */
const TELL = `INSERT INTO event_log (position, at, kind, job_id, execution_id, status, previous_status, attempt, trigger,
    created_at, scheduled_at, started_at, lateness_ms, instance_id)
  SELECT nextval('event_log_position_seq'), created_at, kind, job_id, id, status, previous_status, attempt, 'SCHEDULE',
    created_at, scheduled_at, started_at, lateness_ms, claimed_by
  FROM log_lock, (
    SELECT 'EXECUTION_PLANNED'::event_kind AS kind, job_id, id, 'PENDING'::execution_status AS status,
      NULL::execution_status AS previous_status, NULL::int AS attempt, created_at, scheduled_at,
      NULL::timestamptz AS started_at, NULL::int AS lateness_ms, NULL AS claimed_by, available_at
    FROM planned
    UNION ALL
    SELECT 'EXECUTION_STARTED', job_id, id, status, 'PENDING', attempt_count, created_at, scheduled_at, started_at,
      lateness_ms, claimed_by, available_at
    FROM planned WHERE status = 'RUNNING'
    ORDER BY kind, available_at, id
  ) AS ordered`;

const ANSWER = `SELECT held.id AS "jobId", planned.id, planned.status, trigger, scheduled_at AS "scheduledAt", started_at AS "startedAt",
  attempt_started_at AS "attemptStartedAt", attempt_count AS "attemptCount", retry_count AS "retryCount",
  rescue_count AS "rescueCount", claim_seq AS "claimSeq", held.host, body, ${ATTEMPT_OF_JOB.names}, NULL AS upstream
FROM held LEFT JOIN planned ON planned.id = held."executionId"
ORDER BY held.priority DESC, held."availableAt", held."executionId"`;

const START_SLOTS = `
-- start slots: what locking due jobs, recording their plan and claiming do one after the other, for slots of which is
-- known beforehand what they become. The job must be as it was then: same version, same next run, and no slot left out
-- since, which changes neither. SKIP LOCKED: who holds a job is planning or changing it.
-- LATERAL, and rows named by an array, as in a claim: a look by id for each, whatever the statistics say.
-- DO NOTHING: a slot that has an execution is planned, and its job only moves on.
WITH bounds AS MATERIALIZED (
  SELECT true AS "areSet"
), ${MAKE}, log_lock AS MATERIALIZED (
  SELECT pg_advisory_xact_lock(${EVENT_LOG_LOCK})
  FROM (SELECT (SELECT count(*) FROM planned) AS n, (SELECT count(*) FROM moved) AS m) AS done WHERE n > 0
), told AS (
  ${TELL}
)
${ANSWER}`;

/**
 * The same, but for what the log is told; and how long the transaction may stand still from now on, and wait for a lock (but for
 * one on a whole table, which it waits for before it says that). Said here, since it would be two statements more.
 */
const PREPARE = `WITH bounds AS MATERIALIZED (
  SELECT set_config('idle_in_transaction_session_timeout', $6, true) || set_config('lock_timeout', $7, true) <> '' AS "areSet"
), ${MAKE}`;

const PREPARE_SLOTS = `
-- prepare slots: make executions that start when they are committed.
${PREPARE}
${ANSWER}`;

const PREPARE_WAITING_SLOTS = `
-- prepare waiting slots: make executions that nobody has claimed; without what a call needs.
${PREPARE}
SELECT held.id AS "jobId", planned.id AS "executionId" FROM held LEFT JOIN planned ON planned.id = held."executionId"`;

/** Null where the slot had an execution before. */
type StartedRow = Omit<ClaimedRow, 'id'> & { id: string | null; status: 'PENDING' | 'RUNNING' | null };

/** Makes executions of foreseen slots that have come, moves their jobs on, and claims those that are to start at once. */
export async function startSlots(db: Queryable, options: StartSlotsOptions): Promise<StartedSlots> {
  return makeSlots(db, { name: 'start-slots', text: START_SLOTS, values: valuesOf(options) });
}

/** What bounds a transaction that holds jobs until their slots come. */
export interface HoldingBounds {
  /** For how long the transaction may stand still from then on. */
  maxStandstillMs: number;
  /** For how long a statement of it may wait for a lock. */
  maxLockWaitMs: number;
}

export interface PrepareSlotsOptions extends StartSlotsOptions, HoldingBounds {}

/**
 * The same in a transaction that is to end when the slots have come, and whose last statement is that of
 * {@link tellPreparedSql}: until then it holds the jobs, and nobody sees anything of this.
 */
export async function prepareSlots(tx: Queryable, options: PrepareSlotsOptions): Promise<StartedSlots> {
  return makeSlots(tx, {
    name: 'prepare-slots',
    text: PREPARE_SLOTS,
    values: [...valuesOf(options), ...boundsOf(options)],
  });
}

export interface PrepareWaitingSlotsOptions extends HoldingBounds {
  slots: readonly Pick<PrefetchedSlot, 'row'>[];
  /** The instant of all of them, at which they are made. */
  scheduledAt: Date;
}

export interface WaitingSlots {
  /** Jobs that were as foreseen, and are held from now on. */
  jobIds: string[];
  /** New executions, which nobody has claimed. */
  executionIds: string[];
}

/** The same where all executions are to wait for whoever claims them. */
export async function prepareWaitingSlots(
  tx: Queryable,
  options: PrepareWaitingSlotsOptions,
): Promise<WaitingSlots> {
  const { scheduledAt: now } = options;
  const slots = options.slots.map(({ row }) => ({ row, starts: false }));
  const values = valuesOf({ slots, instanceId: null, now, leaseExpiresAt: null });
  const { rows } = await tx.query<{ jobId: string; executionId: string | null }>({
    name: 'prepare-waiting-slots',
    text: PREPARE_WAITING_SLOTS,
    values: [...values, ...boundsOf(options)],
  });
  return {
    jobIds: rows.map(({ jobId }) => jobId),
    executionIds: rows.flatMap(({ executionId }) => executionId ?? []),
  };
}

/**
 * The statement that tells the log of executions that its transaction has prepared. It takes the log's lock, and has no
 * parameters, so that it can be sent together with the commit.
 */
export function tellPreparedSql(executionIds: readonly string[]): string {
  return `
-- tell of prepared slots
WITH log_lock AS MATERIALIZED (
  SELECT pg_advisory_xact_lock(${EVENT_LOG_LOCK})
), planned AS MATERIALIZED (
  SELECT * FROM job_executions WHERE id = ANY ('{${executionIds.join(',')}}'::uuid[])
)
${TELL}`;
}

/** Who claims, and until when, where anything is claimed. */
type Claimant = { instanceId: string; leaseExpiresAt: Date } | { instanceId: null; leaseExpiresAt: null };

function valuesOf({
  slots,
  instanceId,
  now,
  leaseExpiresAt,
}: Pick<StartSlotsOptions, 'slots' | 'now'> & Claimant): unknown[] {
  const rows = `[${slots.map(({ row }) => row).join(',')}]`;
  return [rows, instanceId, now, leaseExpiresAt, slots.map(({ starts }) => starts)];
}

function boundsOf({ maxStandstillMs, maxLockWaitMs }: HoldingBounds): string[] {
  return [maxStandstillMs, maxLockWaitMs].map(String);
}

async function makeSlots(db: Queryable, statement: Statement): Promise<StartedSlots> {
  const { rows } = await db.query<StartedRow>(statement);
  return {
    jobIds: rows.map(({ jobId }) => jobId),
    executions: rows.filter(({ id }) => id !== null).length,
    claimed: rows.flatMap(({ id, status, ...row }) =>
      id !== null && status === 'RUNNING' ? claimedOf({ id, ...row }) : [],
    ),
  };
}
