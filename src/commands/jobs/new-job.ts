import type { JobDefinition } from '../../domain/job/job-definition.ts';
import { firstRunAt } from '../../domain/schedule/job-slots.ts';
import type { StoredJob } from '../../store/jobs/jobs.ts';
import type { Caller, CommandDeps } from '../command-deps.ts';
import { type CommandResult, failWith } from '../command-result.ts';
import { noRunLeft } from '../executions/run-check.ts';

/** A job that is new at `now`, with its first run; or why it has none. */
export function newJob(
  deps: CommandDeps,
  by: Caller,
  definition: JobDefinition,
  isPaused: boolean,
  now: Date,
): CommandResult<StoredJob> {
  const job: StoredJob = {
    ...definition,
    id: deps.newId(now),
    status: isPaused ? 'PAUSED' : 'ACTIVE',
    nextRunAt: null,
    pausedAt: isPaused ? now : null,
    pausedUntil: null,
    pauseReason: null,
    pausedBy: isPaused ? by.actor : null,
    version: 1,
    createdAt: now,
    updatedAt: now,
    deletedAt: null,
  };
  const hasSlots = job.schedule !== null || job.runAt !== null;
  const nextRunAt = firstRunAt(job, now);
  if (hasSlots && nextRunAt === null) return failWith(noRunLeft(job, now));
  return { ok: true, value: { ...job, nextRunAt: isPaused ? null : nextRunAt } };
}
