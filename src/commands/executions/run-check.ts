import { scheduleIssueOf } from '../../domain/job/job-validation.ts';
import type { SlotFacts } from '../../domain/schedule/job-slots.ts';
import { HORIZON_YEARS } from '../../domain/schedule/schedule-slots.ts';
import { type CommandError, invalidScheduleError, validationError } from '../command-result.ts';

/**
 * Why a definition with a schedule or a runAt has no run left at `now`: a job that can never run is a mistake of
 * its author, and is refused rather than stored as completed.
 */
export function noRunLeft(job: SlotFacts & { misfireGraceMs: number }, now: Date): CommandError {
  const { schedule, runAt, startAt, endAt, misfireGraceMs } = job;
  if (runAt !== null) {
    const past = runAt.getTime() < now.getTime() - misfireGraceMs;
    const message = past
      ? `Lies in the past; at most misfireGraceMs, ${misfireGraceMs} ms, is allowed.`
      : 'Lies outside of startAt and endAt.';
    return validationError([{ path: ['runAt'], message }]);
  }
  if (endAt !== null && endAt <= now) {
    return validationError([
      { path: ['endAt'], message: `Must lie in the future; now is ${now.toISOString()}.` },
    ]);
  }
  const where =
    startAt === null && endAt === null ? `within ${HORIZON_YEARS} years` : 'between startAt and endAt';
  return invalidScheduleError(scheduleIssueOf(schedule ?? '', `schedule: names no moment ${where}`));
}
