import { EVENT_OF_SETTLEMENT } from './transitions.ts';
import type { LogLevel } from '../../generated/prisma/enums.ts';
import type { RunEndStatus } from '../../domain/workflow/dependency.ts';
import type { FailureReason } from '../../domain/execution/outcome.ts';
import { MAX_TARGET_URL_LENGTH } from '../../domain/request/target-url.ts';
import type { KeptTimings, ShownRequest } from '../../domain/request/outgoing-request.ts';
import { boundLogs, mayHaveLongLog } from './log-bound.ts';
import { appendEventsSql, logLockBehind, OF_EXECUTION } from '../events/append-events.ts';
import { countEnds } from '../metrics/rollups.ts';
import type { Queryable } from '../statements/sql.ts';
import { toJsonb } from '../statements/sql.ts';

/** The end of one claim, and the next state of its execution. All instants are of the scheduler's clock. */
export interface Settlement {
  executionId: string;
  /** The claim of the attempt. If the execution has a newer holder, nothing is written. */
  claimSeq: number;
  /** SUCCESS, FAILED and CANCELLED end the execution; RETRYING and PENDING wait until `availableAt`. */
  status: 'SUCCESS' | 'FAILED' | 'CANCELLED' | 'RETRYING' | 'PENDING';
  availableAt: Date | null;
  attemptFinishedAt: Date;
  /** Null when no call was made. Then there was no attempt, and the execution waits as before its claim. */
  attemptDurationMs: number | null;
  failureReason: FailureReason | null;
  errorMessage: string | null;
  responseStatus: number | null;
  responseHeaders: Record<string, string> | null;
  responseBody: string | null;
  responseTruncated: boolean;
  timings: KeptTimings | null;
  /** The sent request from `keptRequest`, with masked secrets; null keeps the stored one. */
  request: ShownRequest | null;
  /** The attempt ended with the death of its instance. */
  instanceLost: boolean;
  log: {
    level: LogLevel;
    message: string;
    /** Null stands for the method and the URL of the request, if there is one. */
    metadata: Record<string, unknown> | null;
  };
}

/**
 * A settlement as the statements take it. With many calls, hundreds of outcomes wait for their record. Each is one
 * text, so the garbage collector has no objects to follow.
 */
export interface SettlementRow extends Pick<Settlement, 'executionId' | 'claimSeq' | 'status'> {
  /**
   * The fields of the settlement that are neither null nor false, with the log line's fields beside them. The
   * statements take a missing field as null or false.
   */
  json: string;
}

export function settlementRow(settlement: Settlement): SettlementRow {
  const { executionId, claimSeq, status } = settlement;
  return { executionId, claimSeq, status, json: toJsonb(orAbsentIn(settlement)) };
}

/**
 * Most fields of a settlement are null, and reading them is a tenth of the cost of a record. The fields are named one
 * by one: JSON of an object from a loop takes twice as long.
 */
function orAbsentIn(settlement: Settlement): Partial<Record<OutcomeField, unknown>> {
  const { log } = settlement;
  return {
    executionId: settlement.executionId,
    claimSeq: settlement.claimSeq,
    status: settlement.status,
    availableAt: orAbsent(settlement.availableAt)?.toISOString(),
    attemptFinishedAt: settlement.attemptFinishedAt.toISOString(),
    attemptDurationMs: orAbsent(settlement.attemptDurationMs),
    failureReason: orAbsent(settlement.failureReason),
    errorMessage: orAbsent(settlement.errorMessage),
    responseStatus: orAbsent(settlement.responseStatus),
    responseHeaders: orAbsent(settlement.responseHeaders),
    responseBody: orAbsent(settlement.responseBody),
    responseTruncated: orAbsent(settlement.responseTruncated),
    timings: orAbsent(settlement.timings),
    request: orAbsent(settlement.request),
    instanceLost: orAbsent(settlement.instanceLost),
    logLevel: log.level,
    logMessage: log.message,
    logMetadata: orAbsent(log.metadata),
  } satisfies Record<OutcomeField, unknown>;
}

type OutcomeField = Exclude<keyof Settlement, 'log'> | 'logLevel' | 'logMessage' | 'logMetadata';

/** The same outcome without the target's answer, which the database may refuse. */
export function withoutAnswer({ json, ...row }: SettlementRow): SettlementRow {
  const outcome = JSON.parse(json) as Record<OutcomeField, unknown>;
  const bare = { ...outcome, ...NO_ANSWER, responseStatus: outcome.responseStatus };
  return { ...row, json: toJsonb(bare) };
}

/** A field that is missing in the JSON reads as null. */
function orAbsent<T>(value: T): Exclude<T, null | false> | undefined {
  return value === null || value === false ? undefined : (value as Exclude<T, null | false>);
}

/** The answer's fields in a settlement without an answer or without a call. */
export const NO_ANSWER = {
  responseStatus: null,
  responseHeaders: null,
  responseBody: null,
  responseTruncated: false,
  timings: null,
  request: null,
} as const satisfies Partial<Settlement>;

const CANCELLED_BEFORE_REPEAT = 'It is not repeated: its cancellation was asked for.';
const CANCELLED_BEFORE_CALL = 'Cancelled before its call was made.';

/**
 * The condition that the claim is still valid. A rescue comes from another instance and is valid only after the end
 * of the lease: a slow holder may have extended it after the look. An execution that waits for its callback was
 * called, so a settlement without a call is not valid for it.
 */
const STILL_HELD = `e.claim_seq = o."claimSeq" AND e.status = 'RUNNING'
    AND (o."instanceLost" IS NOT TRUE OR e.lease_expires_at < o."attemptFinishedAt")
    AND (o."attemptDurationMs" IS NOT NULL OR e.callback_deadline_at IS NULL)`;

/** Neither this claim nor an earlier one made a call: the execution has not started. */
const IS_UNSTARTED = `(o."attemptDurationMs" IS NULL AND e.attempt_count = 1)`;

/**
 * A cancelled execution is never called again, even if its last attempt may be retried. The same holds for one that
 * was withdrawn before its first call.
 */
const IS_CANCELLED = `(o.status IN ('RETRYING', 'PENDING')
    AND (e.cancel_requested_at IS NOT NULL OR ${IS_UNSTARTED} AND e.withdraw_reason IS NOT NULL))`;

/**
 * Whether this is an end that a job without slots waits for. `settleUpstream` records such an end together with its
 * effects.
 */
const IS_AWAITED = `(${IS_CANCELLED} OR o.status IN ('SUCCESS', 'FAILED', 'CANCELLED')) AND NOT ${IS_UNSTARTED}
  AND EXISTS (
    SELECT FROM job_dependencies AS d JOIN jobs AS j ON j.id = d.job_id
    WHERE d.depends_on_id = e.job_id AND j.schedule IS NULL AND j.run_at IS NULL)`;

const OUTCOME = `outcome AS (
  SELECT * FROM jsonb_to_recordset($1::jsonb) AS o(
    "executionId" uuid, "claimSeq" int, status execution_status, "availableAt" timestamptz,
    "attemptFinishedAt" timestamptz, "attemptDurationMs" int, "failureReason" failure_reason, "errorMessage" text,
    "responseStatus" int, "responseHeaders" jsonb, "responseBody" text, "responseTruncated" boolean, timings jsonb,
    request jsonb, "instanceLost" boolean, "logLevel" log_level, "logMessage" text, "logMetadata" jsonb)
)`;

const SETTLE = `
-- settle: record the ends of a batch of attempts, with their history, counters and events.
-- Only a valid claim writes: a row that was rescued in between has another claim_seq or is not RUNNING, and then its
-- history is not written either. If $2 is true, ends that other jobs wait for are not written but returned as
-- deferred.
-- An attempt that ends its execution in success or failure stays in the execution's row, with its log line (is_kept).
-- The update draws the line's position, so it comes after the log's lock. Its rows are locked by then.
WITH ${OUTCOME}, held AS MATERIALIZED (
  -- Every statement that locks several executions locks them in the order of ids. Two batches in two orders would
  -- deadlock.
  SELECT o.*, ${IS_UNSTARTED} AS is_unstarted, ${IS_CANCELLED} AS is_cancelled,
    e.cancel_requested_at IS NULL AS is_unasked,
    'Reason: ' || CASE WHEN e.cancel_requested_at IS NULL THEN e.withdraw_reason ELSE e.cancel_reason END AS why_cancelled,
    $2::boolean AND ${IS_AWAITED} AS is_deferred
  FROM outcome AS o JOIN job_executions AS e ON e.id = o."executionId"
  WHERE ${STILL_HELD}
  ORDER BY e.id
  FOR NO KEY UPDATE OF e
), ${logLockBehind('held WHERE NOT is_deferred')}, decided AS (
  SELECT held.*, "attemptDurationMs" IS NULL AS is_uncalled, is_cancelled AND is_unasked AS is_withdrawn,
    CASE WHEN is_cancelled THEN 'CANCELLED' ELSE status END AS final_status,
    CASE WHEN is_cancelled AND "attemptDurationMs" IS NULL THEN concat_ws(' ', '${CANCELLED_BEFORE_CALL}', why_cancelled)
      WHEN is_cancelled THEN concat_ws(' ', "errorMessage", '${CANCELLED_BEFORE_REPEAT}', why_cancelled)
      WHEN status = 'CANCELLED' THEN concat_ws(' ', "logMessage", why_cancelled)
      ELSE "logMessage" END AS line,
    NOT is_cancelled AND status IN ('SUCCESS', 'FAILED') AND "attemptDurationMs" IS NOT NULL AS is_kept
  FROM held WHERE NOT is_deferred
), settled AS (
  UPDATE job_executions AS e
  SET status = o.final_status,
      lease_expires_at = NULL,
      callback_deadline_at = NULL,
      awaited_response = NULL,
      available_at = coalesce(o."availableAt", e.available_at),
      attempt_count = e.attempt_count - is_uncalled::int,
      -- The call began when it got a place, perhaps long after the claim.
      attempt_started_at = CASE WHEN is_uncalled THEN e.attempt_started_at ELSE
        greatest(e.attempt_started_at, o."attemptFinishedAt" - o."attemptDurationMs" * interval '1 ms') END,
      started_at = CASE WHEN NOT is_unstarted THEN e.started_at END,
      lateness_ms = CASE WHEN NOT is_unstarted THEN e.lateness_ms END,
      retry_count = e.retry_count + (o.final_status = 'RETRYING')::int,
      rescue_count = e.rescue_count + (o."instanceLost" IS TRUE)::int,
      finished_at = CASE WHEN o.final_status IN ('SUCCESS', 'FAILED', 'CANCELLED') THEN o."attemptFinishedAt" END,
      duration_ms = CASE WHEN o.final_status IN ('SUCCESS', 'FAILED', 'CANCELLED') AND NOT is_unstarted THEN
        least(greatest(extract(epoch FROM (o."attemptFinishedAt" - e.started_at)) * 1000, 0), 2147483647)::int END,
      cancel_requested_at = coalesce(e.cancel_requested_at, CASE WHEN is_withdrawn THEN o."attemptFinishedAt" END),
      cancel_reason = CASE WHEN is_withdrawn THEN e.withdraw_reason ELSE e.cancel_reason END,
      failure_reason = CASE WHEN o.final_status = 'FAILED' THEN o."failureReason" END,
      error_message = CASE WHEN o.final_status = 'CANCELLED' THEN o.line
        WHEN is_uncalled THEN e.error_message ELSE o."errorMessage" END,
      response_status = CASE WHEN is_uncalled THEN e.response_status ELSE o."responseStatus" END,
      response_body = CASE WHEN is_uncalled THEN e.response_body ELSE o."responseBody" END,
      response_truncated = CASE WHEN is_uncalled THEN e.response_truncated ELSE o."responseTruncated" IS TRUE END,
      request = coalesce(o.request, e.request),
      attempt_duration_ms = CASE WHEN is_kept THEN o."attemptDurationMs" END,
      response_headers = CASE WHEN is_kept THEN o."responseHeaders" END,
      attempt_timings = CASE WHEN is_kept THEN o.timings END,
      log_position = CASE WHEN is_kept THEN nextval('event_log_position_seq') END,
      log_level = CASE WHEN is_kept THEN o."logLevel" END,
      log_message = CASE WHEN is_kept THEN o.line END,
      -- A null stands for the request in the row. Readers write it out.
      log_metadata = CASE WHEN is_kept THEN coalesce(o."logMetadata", CASE WHEN o.request IS NULL THEN 'null'::jsonb END) END
  FROM log_lock, decided AS o
  WHERE e.id = o."executionId"
  RETURNING e.id, e.job_id, e.status, e.trigger, e.created_at, e.scheduled_at, e.started_at, e.attempt_started_at,
    e.finished_at, e.duration_ms, e.lateness_ms, e.attempt_count, e.claimed_by, e.failure_reason, e.error_message,
    e.response_status, e.response_body, o."attemptFinishedAt", o."attemptDurationMs",
    o."failureReason" AS attempt_failure_reason, o."errorMessage" AS attempt_error_message, o."responseHeaders",
    o.timings, o."logLevel", o.line, is_uncalled, is_kept,
    CASE WHEN NOT is_kept THEN coalesce(o."logMetadata", CASE WHEN o.request IS NOT NULL
      THEN jsonb_build_object('method', o.request -> 'method', 'url', left(o.request ->> 'url', ${MAX_TARGET_URL_LENGTH})) END)
      END AS metadata
), attempts AS (
  INSERT INTO job_execution_attempts (execution_id, number, started_at, finished_at, duration_ms, response_status,
    failure_reason, error_message, response_headers, response_body, instance_id, timings)
  SELECT id, attempt_count, attempt_started_at, "attemptFinishedAt", "attemptDurationMs", response_status,
    attempt_failure_reason, attempt_error_message, "responseHeaders", response_body, claimed_by, timings
  FROM settled WHERE NOT is_uncalled AND NOT is_kept
), dead_letters AS (
  INSERT INTO failed_jobs_dlq (execution_id, job_id, failure_reason, error_message, failed_at)
  SELECT id, job_id, failure_reason, error_message, finished_at FROM settled WHERE status = 'FAILED'
), counted AS (
  ${countEnds(`SELECT job_id, status, "attemptFinishedAt" AS at, duration_ms, lateness_ms
    FROM settled WHERE status <> 'PENDING'`)}
), lines AS (
  INSERT INTO job_execution_logs (execution_id, position, at, level, message, attempt, metadata)
  SELECT id, nextval('event_log_position_seq'), "attemptFinishedAt", "logLevel", line,
    CASE WHEN NOT is_uncalled THEN attempt_count END, metadata
  FROM settled WHERE NOT is_kept
), appended AS (
  ${appendEventsSql(
    {
      ...OF_EXECUTION,
      at: '"attemptFinishedAt"',
      kind: EVENT_OF_SETTLEMENT,
      previousStatus: `'RUNNING'`,
      attempt: 'nullif(attempt_count, 0)',
      startedAt: 'started_at',
      finishedAt: 'finished_at',
      durationMs: 'duration_ms',
      latenessMs: 'lateness_ms',
      failureReason: 'attempt_failure_reason',
      responseStatus: 'CASE WHEN has_outcome THEN response_status END',
      errorMessage: 'CASE WHEN has_outcome THEN error_message END',
      instanceId: 'claimed_by',
    },
    `(SELECT *, NOT is_uncalled OR status = 'CANCELLED' AS has_outcome FROM settled) AS settled`,
  )}
  RETURNING execution_id
)
SELECT execution_id AS "executionId", false AS "isDeferred" FROM appended
UNION ALL
SELECT "executionId", true FROM held WHERE is_deferred`;

/** The result of a batch. An execution in neither set had lost its claim, and its new holder decides. */
export interface Settled {
  written: ReadonlySet<string>;
  /** Not written: other jobs wait for these ends, and `settleUpstream` records them with their effects. */
  deferred: ReadonlySet<string>;
}

/**
 * Records a batch of attempts in one statement: status, attempt, log line, dead letter, counters, events.
 * `settleUpstream` records the ends that other jobs wait for.
 *
 * An edge that is added at the same time counts from the next end on, because this outcome was known before.
 */
export async function settle(db: Queryable, settlements: readonly SettlementRow[]): Promise<Settled> {
  return runSettle(db, settlements, true);
}

/**
 * The same for all ends, in the transaction that has locked the rows (see {@link lockHeld}) and has recorded the
 * effects of the ends.
 *
 * @returns the ids that were written
 */
export async function settleLocked(
  tx: Queryable,
  settlements: readonly SettlementRow[],
): Promise<ReadonlySet<string>> {
  return (await runSettle(tx, settlements, false)).written;
}

async function runSettle(
  db: Queryable,
  settlements: readonly SettlementRow[],
  defers: boolean,
): Promise<Settled> {
  const written = new Set<string>();
  const deferred = new Set<string>();
  if (settlements.length === 0) return { written, deferred };
  // Before the outcomes, because these would read as lost claims if they were written twice.
  await boundLogs(
    db,
    settlements.filter(mayHaveLongLog).map(({ executionId }) => executionId),
  );
  const { rows } = await db.query<{ executionId: string; isDeferred: boolean }>({
    name: 'settle',
    text: SETTLE,
    values: [`[${settlements.map(({ json }) => json).join(',')}]`, defers],
  });
  for (const { executionId, isDeferred } of rows) (isDeferred ? deferred : written).add(executionId);
  return { written, deferred };
}

/** An execution whose claim is still valid, so its attempt can be recorded. */
export interface HeldExecution {
  executionId: string;
  jobId: string;
  /** The status with which the attempt ends the execution; null when it does not end it. */
  endStatus: RunEndStatus | null;
  at: Date;
}

const LOCK_HELD = `
-- lock the executions of a batch whose claims are valid, in the order of ids, before a decision about the ends.
WITH ${OUTCOME}
SELECT e.id AS "executionId", e.job_id AS "jobId", o."attemptFinishedAt" AS at,
  CASE WHEN ${IS_CANCELLED} THEN 'CANCELLED' WHEN o.status IN ('SUCCESS', 'FAILED', 'CANCELLED') THEN o.status::text END
    AS "endStatus"
FROM outcome AS o JOIN job_executions AS e ON e.id = o."executionId"
WHERE ${STILL_HELD}
ORDER BY e.id
FOR NO KEY UPDATE OF e`;

/** Locks the executions of the settlements whose claim still holds, until the transaction ends. */
export async function lockHeld(
  tx: Queryable,
  settlements: readonly SettlementRow[],
): Promise<HeldExecution[]> {
  const { rows } = await tx.query<HeldExecution & Record<string, unknown>>({
    name: 'lock-held',
    text: LOCK_HELD,
    values: [toJsonb(settlements.map(claimAndEndOf))],
  });
  return rows;
}

/** The fields of a settlement that the statement needs. So the targets' answers travel only once. */
function claimAndEndOf({ json }: SettlementRow): object {
  const { executionId, claimSeq, status, attemptFinishedAt, attemptDurationMs, instanceLost } = JSON.parse(
    json,
  ) as Record<keyof Settlement, unknown>;
  return { executionId, claimSeq, status, attemptFinishedAt, attemptDurationMs, instanceLost };
}
