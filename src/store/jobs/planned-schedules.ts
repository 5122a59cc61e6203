import type { DstGapPolicy, DstOverlapPolicy } from '../../generated/prisma/enums.ts';
import {
  type AskedSchedules,
  type Skipped,
  MAX_LEFT_OUT,
  MAX_RULES,
  type PlannedRule,
  type PlannedSchedules,
} from '../../domain/schedule/planned.ts';
import { parseSchedule, type Schedule } from '../../domain/schedule/schedule.ts';
import type { SlotRule } from '../../domain/schedule/schedule-slots.ts';
import { conditionSql } from '../statements/condition-sql.ts';
import { JOB_COLUMNS } from '../executions/filter-columns.ts';
import type { Queryable } from '../statements/sql.ts';

interface RuleRow extends Record<string, unknown> {
  schedule: string | null;
  timezone: string;
  dstGapPolicy: DstGapPolicy;
  dstOverlapPolicy: DstOverlapPolicy;
  runAt: Date | null;
  anchorAt: Date | null;
  beginsAt: Date;
  endsAt: Date | null;
}

type PlannedRow = RuleRow & Pick<PlannedRule, 'jobs' | 'jobIds'>;

const RULE_COLUMNS = `schedule, timezone, "dstGapPolicy", "dstOverlapPolicy", "runAt", "anchorAt", "beginsAt", "endsAt"`;

/**
 * Active jobs with a run in [$1, $2), and paused jobs whose pause ends before $2. Each comes with the values that
 * decide its slots there, so jobs with equal slots mostly have equal values.
 *
 * @param firstJobs how many jobs to read, those that run first
 */
function plannableJobs(condition: string, firstJobs: string | null): string {
  const first = (instant: string): string =>
    firstJobs === null ? '' : `ORDER BY ${instant} LIMIT ${firstJobs}`;
  return `SELECT id, schedule, timezone, dst_gap_policy AS "dstGapPolicy", dst_overlap_policy AS "dstOverlapPolicy",
    run_at AS "runAt", CASE WHEN schedule ILIKE '%@every%' THEN coalesce(start_at, created_at) END AS "anchorAt",
    greatest(begins_at, $1) AS "beginsAt",
    CASE WHEN $2::timestamptz IS NULL OR end_at < $2 THEN end_at END AS "endsAt"
  FROM (
    (SELECT j.*, j.next_run_at AS begins_at FROM jobs AS j
     WHERE j.next_run_at IS NOT NULL AND ($2::timestamptz IS NULL OR j.next_run_at < $2) AND ${condition}
     ${first('j.next_run_at')})
    UNION ALL
    -- The first slot after the end of a pause runs.
    (SELECT j.*, greatest(j.start_at, j.paused_until + interval '1 ms') FROM jobs AS j
     WHERE j.paused_until IS NOT NULL AND ($2::timestamptz IS NULL OR j.paused_until < $2)
       AND (j.schedule IS NOT NULL OR j.run_at IS NOT NULL) AND ${condition}
     ${first('j.paused_until')})
  ) AS job`;
}

/**
 * Reads the slots of jobs within a span, as rules that many jobs share, and the skipped slots.
 *
 * @returns null when there are too many rules or skipped slots
 */
export async function readPlannedSchedules(
  db: Queryable,
  asked: AskedSchedules,
): Promise<PlannedSchedules | null> {
  const skipped = await readSkipped(db, asked);
  if (skipped.length > MAX_LEFT_OUT) return null;
  // A skipped slot does not count, and its job must not be the only known one of its rule.
  const rows = await readRules(db, { ...asked, idsPerRule: asked.idsPerRule + skipped.length });
  return rows.length > MAX_RULES ? null : { rules: rulesOf(rows), skipped };
}

function* rulesOf(rows: readonly PlannedRow[]): Generator<PlannedRule, void, undefined> {
  for (const { jobs, jobIds, ...row } of rows) {
    const rule = ruleOf(row);
    if (rule !== null) yield { rule, jobs, jobIds };
  }
}

async function readRules(
  db: Queryable,
  { condition, from, to, idsPerRule, firstJobs }: AskedSchedules,
): Promise<PlannedRow[]> {
  const values: unknown[] = [from, to, idsPerRule];
  const where = conditionSql(condition, JOB_COLUMNS, values);
  const first = firstJobs === null ? null : `$${values.push(firstJobs)}`;
  const { rows } = await db.query<PlannedRow>({
    text: `
-- the distinct rules of jobs with slots in [$1, $2), each with its number of jobs and $3 of their ids.
SELECT ${RULE_COLUMNS}, count(*)::int AS jobs, (array_agg(id ORDER BY id))[1:$3::int] AS "jobIds"
FROM (${plannableJobs(where, first)}) AS job
GROUP BY ${RULE_COLUMNS}
LIMIT ${MAX_RULES + 1}`,
    values,
  });
  return rows;
}

async function readSkipped(db: Queryable, { condition, from, to }: AskedSchedules): Promise<Skipped[]> {
  const values: unknown[] = [from, to];
  const where = conditionSql(condition, JOB_COLUMNS, values);
  const { rows } = await db.query<RuleRow & Pick<Skipped, 'jobId' | 'scheduledAt'>>({
    text: `
-- skipped slots in [$1, $2), with the rules of their jobs.
SELECT e.job_id AS "jobId", e.scheduled_at AS "scheduledAt", ${RULE_COLUMNS}
FROM job_executions AS e JOIN (${plannableJobs(where, null)}) AS job ON job.id = e.job_id
WHERE e.skip_reason = 'OPERATOR' AND e.scheduled_at >= $1 AND ($2::timestamptz IS NULL OR e.scheduled_at < $2)
LIMIT ${MAX_LEFT_OUT + 1}`,
    values,
  });
  return rows.flatMap(({ jobId, scheduledAt, ...row }) => {
    const rule = ruleOf(row);
    return rule === null ? [] : [{ jobId, scheduledAt, rule }];
  });
}

/** Null for a schedule that is not valid. The planner reports it. */
function ruleOf(row: RuleRow): SlotRule | null {
  const schedule = scheduleOf(row);
  if (schedule === null) return null;
  const { timezone, dstGapPolicy, dstOverlapPolicy, anchorAt, beginsAt, endsAt } = row;
  return {
    schedule,
    timezone,
    anchorAt: anchorAt ?? new Date(0),
    startAt: beginsAt,
    endAt: endsAt,
    dstGapPolicy,
    dstOverlapPolicy,
  };
}

function scheduleOf({ schedule, runAt }: RuleRow): Schedule | null {
  if (runAt !== null) return { kind: 'ONCE', runAt };
  const parsed = schedule === null ? null : parseSchedule(schedule);
  return parsed?.kind === 'INVALID' ? null : parsed;
}
