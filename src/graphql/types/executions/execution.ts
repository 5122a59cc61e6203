import { longestText } from '../../answer-sizes.ts';
import { builder } from '../../builder.ts';
import { ExecutionStatus, ExecutionTrigger } from './execution-enums.ts';

export const Execution = builder.prismaNode('JobExecution', {
  name: 'Execution',
  id: { field: 'id' },
  nullable: true,
  description: 'One run of a job: a call, with its retries, and how it ended.',
  select: { id: true },
  fields: (t) => ({
    job: t.relation('job', { description: 'The job that it is a run of.' }),
    status: t.expose('status', { type: ExecutionStatus, description: 'Where it stands.' }),
    trigger: t.expose('trigger', { type: ExecutionTrigger, description: 'How it came about.' }),
    scheduledAt: t.expose('scheduledAt', {
      type: 'DateTime',
      nullable: true,
      description: 'The slot that this execution serves; null where no schedule named it.',
    }),
    slotCount: t.exposeInt('slotCount', {
      description:
        'How many slots it stands for, 1 in the usual case. Of one that was skipped, those from scheduledAt on. Of one with trigger CATCH_UP under misfirePolicy RUN_ONCE, itself and the missed ones before it, which a SKIPPED execution records; above 100,000 they are not counted.',
    }),
    createdAt: t.expose('createdAt', { type: 'DateTime', description: 'When it was planned or triggered.' }),
    startedAt: t.expose('startedAt', {
      type: 'DateTime',
      nullable: true,
      description: 'When its first attempt began.',
    }),
    finishedAt: t.expose('finishedAt', {
      type: 'DateTime',
      nullable: true,
      description: 'When it became final.',
    }),
    durationMs: t.exposeInt('durationMs', {
      nullable: true,
      description: 'finishedAt minus startedAt in milliseconds, waits between attempts included.',
    }),
    latenessMs: t.exposeInt('latenessMs', {
      nullable: true,
      description: 'startedAt minus scheduledAt, in milliseconds.',
    }),
    attemptCount: t.exposeInt('attemptCount', {
      description:
        'Attempts begun so far. One of which no call could be made is none: then it is one less again.',
    }),
    maxAttempts: t.exposeInt('maxAttempts', { description: 'Attempts that the job’s retry policy allows.' }),
    nextAttemptAt: t.field({
      type: 'DateTime',
      nullable: true,
      description: 'When the next attempt is due; null unless it waits for one.',
      select: { status: true, availableAt: true },
      resolve: ({ status, availableAt }) =>
        status === 'PENDING' || status === 'RETRYING' ? availableAt : null,
    }),
    callbackDeadlineAt: t.expose('callbackDeadlineAt', {
      type: 'DateTime',
      nullable: true,
      description: 'Until when its callback is awaited; null unless it waits for one.',
    }),
    cancelRequestedAt: t.expose('cancelRequestedAt', {
      type: 'DateTime',
      nullable: true,
      description:
        'When somebody asked for its cancellation. While it is still RUNNING, its call is about to be aborted.',
    }),
    cancelReason: t.exposeString('cancelReason', {
      extensions: longestText(1_000),
      nullable: true,
      description: 'Why its cancellation was asked for, in their words.',
    }),
    redriveOf: t.relation('redriveOf', {
      nullable: true,
      description: 'The execution that this one runs again; null unless its trigger is REDRIVE.',
    }),
    instanceId: t.exposeString('claimedBy', {
      nullable: true,
      description:
        'The instance that claimed it last: it makes, or made, the last attempt, unless no call could be made.',
    }),
  }),
});
