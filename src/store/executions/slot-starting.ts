import type { PlainSlot } from '../../domain/schedule/plain-slot.ts';
import { ATTEMPT_OF_JOB, claimedOf, type ClaimedExecution, type ClaimedRow } from './claimed-rows.ts';
import { appendEventsSql, logLockBehind, OF_EXECUTION } from '../events/append-events.ts';
import { insertExecutionsSql } from './insert-executions.ts';
import { runningWhere } from './running.ts';
import { eventOf } from './transitions.ts';
import { toJsonb, type Queryable } from '../statements/sql.ts';

export interface MakeSlotsOptions {
  /** The slots, each with the version of its job and the host of the job's URL. */
  slots: readonly (PlainSlot & { version: number; host: string })[];
  /** Which slots this instance claims at once. */
  starts: readonly boolean[];
  instanceId: string;
  /** When the executions are created and started: the instant of their slots. */
  now: Date;
  leaseExpiresAt: Date;
  /** For how long the transaction may be idle from now on. */
  maxStandstillMs: number;
  /** For how long a statement of the transaction may wait for a lock. */
  maxLockWaitMs: number;
}

export interface MadeSlots {
  /** The jobs that have a new next run. The others are locked or have changed. */
  jobIds: string[];
  /** The new executions. */
  executionIds: string[];
  /** The executions that this instance has claimed. */
  claimed: ClaimedExecution[];
}

const SCHEDULE = `'SCHEDULE'::execution_trigger`;

const MAKE_SLOTS = `
-- make slots: insert the executions of slots that come soon, claim those that start at once for instance $2 until $4,
-- and set the next runs of their jobs.
-- A job must be as it was when its slot was computed: same version, same next run, and no skipped slot, because a
-- skip changes neither of them. SKIP LOCKED: another transaction is planning or changing a locked job.
-- bounds: how long the transaction may be idle and wait for locks. It comes before the first lock. Setting it here
-- saves two statements.
-- LATERAL and an array of ids, as in a claim: one look-up by id for each row, whatever the statistics say.
-- DO NOTHING: a slot that has an execution is planned already. Its job only gets its next run.
WITH bounds AS MATERIALIZED (
  SELECT set_config('idle_in_transaction_session_timeout', $6, true) || set_config('lock_timeout', $7, true) <> '' AS "areSet"
), held AS MATERIALIZED (
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
  ${insertExecutionsSql(
    {
      id: '"executionId"',
      jobId: 'id',
      trigger: SCHEDULE,
      scheduledAt: '"scheduledAt"',
      createdAt: '$3',
      availableAt: '"availableAt"',
      priority: 'priority',
      host: 'host',
      maxAttempts: '"maxAttempts"',
      ...runningWhere(
        'starts',
        { scheduledAt: '"scheduledAt"', trigger: SCHEDULE },
        { instanceId: '$2', claimedAt: '$3', leaseExpiresAt: '$4' },
      ),
    },
    'held',
  )}
  ON CONFLICT DO NOTHING
  RETURNING *
), moved AS (
  UPDATE jobs SET next_run_at = held."nextRunAt"
  FROM held WHERE jobs.id = ANY (ARRAY(SELECT id FROM held)) AND jobs.id = held.id
  RETURNING jobs.id
)
SELECT held.id AS "jobId", planned.id, planned.status, trigger, scheduled_at AS "scheduledAt", started_at AS "startedAt",
  attempt_started_at AS "attemptStartedAt", attempt_count AS "attemptCount", retry_count AS "retryCount",
  rescue_count AS "rescueCount", claim_seq AS "claimSeq", held.host, body, ${ATTEMPT_OF_JOB.names}, NULL AS upstream
FROM held LEFT JOIN planned ON planned.id = held."executionId"
ORDER BY held.priority DESC, held."availableAt", held."executionId"`;

/** Null when the slot had an execution before. */
type MadeRow = Omit<ClaimedRow, 'id'> & { id: string | null; status: 'PENDING' | 'RUNNING' | null };

/**
 * Inserts executions in a transaction that stays open until their slots come. Its last statement must be {@link
 * slotsStartedSql}. Until the commit it locks the jobs, and nobody sees the new rows.
 */
export async function makeSlots(tx: Queryable, options: MakeSlotsOptions): Promise<MadeSlots> {
  const { slots, starts, instanceId, now, leaseExpiresAt, maxStandstillMs, maxLockWaitMs } = options;
  const { rows } = await tx.query<MadeRow>({
    name: 'make-slots',
    text: MAKE_SLOTS,
    values: [
      toJsonb(slots),
      instanceId,
      now,
      leaseExpiresAt,
      starts,
      String(maxStandstillMs),
      String(maxLockWaitMs),
    ],
  });
  return {
    jobIds: rows.map(({ jobId }) => jobId),
    executionIds: rows.flatMap(({ id }) => id ?? []),
    claimed: rows.flatMap(({ id, status, ...row }) =>
      id !== null && status === 'RUNNING' ? claimedOf({ id, ...row }) : [],
    ),
  };
}

/**
 * The statement that appends the events of executions that {@link makeSlots} inserted. It takes the log's lock. It
 * has no parameters, so it can be sent together with the commit.
 */
export function slotsStartedSql(executionIds: readonly string[]): string {
  return `
-- tell of prepared slots
WITH ${logLockBehind()}, planned AS MATERIALIZED (
  SELECT * FROM job_executions WHERE id = ANY ('{${executionIds.join(',')}}'::uuid[])
), appended AS (
  SELECT 'EXECUTION_PLANNED'::event_kind AS kind, job_id, id, 'PENDING'::execution_status AS status, trigger,
    NULL::execution_status AS previous_status, NULL::int AS attempt, created_at, scheduled_at,
    NULL::timestamptz AS started_at, NULL::int AS lateness_ms, NULL AS claimed_by, available_at
  FROM planned
  UNION ALL
  SELECT ${eventOf('claim')}, job_id, id, status, trigger, 'PENDING', attempt_count, created_at, scheduled_at, started_at,
    lateness_ms, claimed_by, available_at
  FROM planned WHERE status = 'RUNNING'
  ORDER BY kind, available_at, id
)
${appendEventsSql(
  {
    ...OF_EXECUTION,
    at: 'created_at',
    kind: 'kind',
    previousStatus: 'previous_status',
    attempt: 'attempt',
    startedAt: 'started_at',
    latenessMs: 'lateness_ms',
    instanceId: 'claimed_by',
  },
  'appended',
)}`;
}
