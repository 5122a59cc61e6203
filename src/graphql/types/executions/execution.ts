import { longestText, MAX_ERROR_CHARACTERS } from '../../answer-sizes.ts';
import { MAX_RESPONSE_BODY_CHARACTERS } from '../../../domain/request/outgoing-request.ts';
import { builder } from '../../builder.ts';
import { BAD_LIST_ARGUMENT } from '../shared/error-texts.ts';
import { ExecutionStatus, ExecutionTrigger, FailureReason, SkipReason } from './execution-enums.ts';
import { ExecutionLogConnection, ExecutionLog } from './execution-log.ts';
import { logPageOf } from './execution-log-page.ts';
import { HttpRequest, requestOf } from './http-request.ts';

const JOB_REQUEST = { method: true, api: true, headers: true, body: true } as const;

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
    failureReason: t.expose('failureReason', {
      type: FailureReason,
      nullable: true,
      description: 'Why it failed; null unless FAILED.',
    }),
    skipReason: t.expose('skipReason', {
      type: SkipReason,
      nullable: true,
      description: 'Why it never ran; null unless SKIPPED.',
    }),
    errorMessage: t.exposeString('errorMessage', {
      extensions: longestText(MAX_ERROR_CHARACTERS),
      nullable: true,
      description: 'What went wrong last, in words.',
    }),
    request: t.field({
      type: HttpRequest,
      description:
        'The request as it was last sent, secrets masked; before the first attempt, as it would be sent now, templates not filled yet.',
      select: {
        id: true,
        jobId: true,
        scheduledAt: true,
        request: true,
        bodyOverride: true,
        job: { select: JOB_REQUEST },
      },
      resolve: requestOf,
    }),
    responseStatus: t.exposeInt('responseStatus', {
      nullable: true,
      description: 'HTTP status of the last answer.',
    }),
    responseBody: t.exposeString('responseBody', {
      extensions: longestText(MAX_RESPONSE_BODY_CHARACTERS),
      nullable: true,
      description: 'First 5,000 characters of the last answer, or of the output of the callback after it.',
    }),
    responseTruncated: t.exposeBoolean('responseTruncated', {
      description: 'Whether the answer was longer than what is kept.',
    }),
    attempts: t.relation('attempts', {
      description: 'Its finished calls, first to last.',
      query: { orderBy: { number: 'asc' } },
    }),
    logs: t.connection(
      {
        type: ExecutionLog,
        description: `Its log, oldest line first. ${BAD_LIST_ARGUMENT}.`,
        select: { id: true },
        resolve: ({ id }, args, context) => logPageOf(id, args, context),
      },
      ExecutionLogConnection,
    ),
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
    deadLetter: t.relation('deadLetter', {
      nullable: true,
      description: 'Its entry in the dead letter queue; null unless it FAILED.',
    }),
  }),
});
