import { EXECUTION_COLUMNS } from './insert-executions.ts';
import { statusAfter } from './transitions.ts';

/** An execution before its claim; each an SQL expression. */
interface Waiting {
  claimSeq: string;
  attemptCount: string;
  /** Null before its first start. */
  startedAt: string;
  latenessMs: string;
  scheduledAt: string;
  trigger: string;
}

/** A claim; each an SQL expression. */
interface Claim {
  instanceId: string;
  claimedAt: string;
  /** The end of its lease by the instance's clock. */
  leaseExpiresAt: string;
}

const RUNNING_FIELDS = [
  'status',
  'claimSeq',
  'claimedBy',
  'leaseExpiresAt',
  'attemptCount',
  'attemptStartedAt',
  'startedAt',
  'latenessMs',
] as const;

type RunningValues = Record<(typeof RUNNING_FIELDS)[number], string>;

/**
 * The fields of an execution that becomes RUNNING, each as an SQL expression: one more attempt, and a lease of the
 * instance that claims it. Nothing else writes this status.
 */
function runningValues(waiting: Waiting, { instanceId, claimedAt, leaseExpiresAt }: Claim): RunningValues {
  return {
    status: `${statusAfter('claim')}::execution_status`,
    claimSeq: `${waiting.claimSeq} + 1`,
    claimedBy: instanceId,
    leaseExpiresAt: leaseEndSql(leaseExpiresAt, claimedAt),
    attemptCount: `${waiting.attemptCount} + 1`,
    attemptStartedAt: `${claimedAt}::timestamptz`,
    startedAt: `coalesce(${waiting.startedAt}, ${claimedAt}::timestamptz)`,
    // A retry, a redrive or a manual run serves no new slot. Lateness belongs to the first start.
    latenessMs: `CASE WHEN ${waiting.startedAt} IS NULL AND ${waiting.trigger} IN ('SCHEDULE', 'CATCH_UP')
      THEN ${latenessSql(waiting.scheduledAt, claimedAt)} ELSE ${waiting.latenessMs} END`,
  };
}

/** The assignments of an UPDATE that make the execution `e` RUNNING. */
export function setRunning(claim: Claim): string {
  const values = runningValues(
    {
      claimSeq: 'e.claim_seq',
      attemptCount: 'e.attempt_count',
      startedAt: 'e.started_at',
      latenessMs: 'e.lateness_ms',
      scheduledAt: 'e.scheduled_at',
      trigger: 'e.trigger',
    },
    claim,
  );
  return RUNNING_FIELDS.map((field) => `${EXECUTION_COLUMNS[field]} = ${values[field]}`).join(',\n      ');
}

const PENDING: RunningValues = {
  status: `'PENDING'`,
  claimSeq: '0',
  claimedBy: 'NULL',
  leaseExpiresAt: 'NULL',
  attemptCount: '0',
  attemptStartedAt: 'NULL',
  startedAt: 'NULL',
  latenessMs: 'NULL',
};

/**
 * The fields of executions that are inserted for slots: RUNNING if they start at once, else PENDING.
 *
 * @param starts the condition that an execution starts at once
 */
export function runningWhere(
  starts: string,
  slot: Pick<Waiting, 'scheduledAt' | 'trigger'>,
  claim: Claim,
): RunningValues {
  const running = runningValues({ ...PENDING, ...slot }, claim);
  const entries = RUNNING_FIELDS.map((field) => [
    field,
    `CASE WHEN ${starts} THEN ${running[field]} ELSE ${PENDING[field]} END`,
  ]);
  return Object.fromEntries(entries) as RunningValues;
}

/**
 * The end of a new claim's lease. The statement gets the instant of the claim and the end by the instance's clock.
 * The end is later when the database's clock is ahead, for example after the instance's machine has slept.
 */
function leaseEndSql(endsAt: string, claimedAt: string): string {
  return `greatest(${endsAt}::timestamptz, clock_timestamp() + (${endsAt}::timestamptz - ${claimedAt}::timestamptz))`;
}

function latenessSql(scheduledAt: string, startedAt: string): string {
  return `least(greatest(extract(epoch FROM (${startedAt}::timestamptz - ${scheduledAt})) * 1000, 0), 2147483647)::int`;
}
