import { slotRuleOf } from '../../../src/domain/schedule/job-slots.ts';
import { slotsAfter, type SlotRule } from '../../../src/domain/schedule/schedule-slots.ts';
import { slotExecutionId } from '../../../src/domain/schedule/slot-id.ts';
import type { History, HistoryExecution, HistoryJob } from './read.ts';

/** Far enough for any test, and a stop for a job that never ends. */
const MAX_SLOTS = 200_000;

/**
 * Each slot that a job's schedule named has exactly one execution, or stands in exactly one record of skipped slots; and
 * no execution serves a slot that was never named. One that makes up for others says truly for how many: those others are
 * recorded as skipped, right before it.
 *
 * A job that was changed, paused or deleted on the way had slots that nobody can tell from its row, so of such a job
 * only the ids are checked.
 */
export function slotViolations(history: History): { violations: string[]; slots: number } {
  const violations: string[] = [];
  let slots = 0;
  const changed = new Set(history.events.filter(({ kind }) => CHANGES.has(kind)).map(({ jobId }) => jobId));
  for (const job of history.jobs) {
    const rows = history.executions.filter((row) => row.jobId === job.id && isOfSchedule(row));
    violations.push(...rows.flatMap((row) => idViolation(row)));
    const rule = slotRuleOf(job);
    if (rule === null || changed.has(job.id)) continue;
    const named = namedSlots(job, rule);
    violations.push(...coverageViolations(job, named, rows));
    slots += named.length;
  }
  return { violations, slots };
}

const CHANGES: ReadonlySet<string> = new Set(['JOB_UPDATED', 'JOB_PAUSED', 'JOB_RESUMED', 'JOB_DELETED']);

function isOfSchedule({ trigger }: HistoryExecution): boolean {
  return trigger === 'SCHEDULE' || trigger === 'CATCH_UP';
}

function idViolation({ id, jobId, scheduledAt }: HistoryExecution): string[] {
  const isDerived = scheduledAt !== null && slotExecutionId(jobId, scheduledAt) === id;
  return isDerived ? [] : [`${id}: its id is not that of its slot`];
}

/** The slots that must have been dealt with: those before the job's next run, all where it has none left. */
function namedSlots(job: HistoryJob, rule: SlotRule): number[] {
  const from = job.runAt === null ? job.createdAt : new Date(job.runAt.getTime() - 1);
  const found: number[] = [];
  for (const slot of slotsAfter(rule, from)) {
    if ((job.nextRunAt && slot >= job.nextRunAt) || found.length === MAX_SLOTS) break;
    found.push(slot.getTime());
  }
  return found;
}

function coverageViolations(job: HistoryJob, named: number[], rows: HistoryExecution[]): string[] {
  const indexOf = new Map(named.map((slot, index) => [slot, index]));
  const times = named.map(() => 0);
  const violations: string[] = [];
  for (const row of rows) {
    const index = indexOf.get(row.scheduledAt?.getTime() ?? NaN);
    if (index === undefined) {
      violations.push(
        `${row.id}: serves ${iso(row.scheduledAt)}, which is no slot of job ${job.id} up to now`,
      );
      continue;
    }
    const [first, last] = rangeOf(row, index);
    for (let at = first; at <= last; at += 1) times[at] = (times[at] ?? 0) + 1;
  }
  named.forEach((slot, index) => {
    if (times[index] === 1) return;
    violations.push(`job ${job.id}: slot ${iso(new Date(slot))} was dealt with ${times[index] ?? 0} times`);
  });
  return [...violations, ...standInViolations(named, rows)];
}

function standInViolations(named: number[], rows: HistoryExecution[]): string[] {
  const ranges = new Map(
    rows
      .filter(({ status }) => status === 'SKIPPED')
      .map(({ scheduledAt, slotCount }) => [scheduledAt?.getTime(), slotCount]),
  );
  return rows.flatMap(({ id, status, scheduledAt, slotCount }) => {
    if (status === 'SKIPPED' || slotCount === 1) return [];
    const others = slotCount - 1;
    const firstOther = named[named.indexOf(scheduledAt?.getTime() ?? NaN) - others];
    return ranges.get(firstOther) === others
      ? []
      : [`${id}: stands for ${slotCount} slots, but those before it are not recorded as skipped`];
  });
}

/** A skipped range is recorded at its first slot; what runs is a slot of its own, whatever it stands for. */
function rangeOf({ status, slotCount }: HistoryExecution, index: number): [number, number] {
  return status === 'SKIPPED' ? [index, index + slotCount - 1] : [index, index];
}

function iso(at: Date | null): string {
  return at?.toISOString() ?? 'nothing';
}
