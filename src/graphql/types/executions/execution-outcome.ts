import { longestText, MAX_ERROR_CHARACTERS } from '../../answer-sizes.ts';
import { MAX_RESPONSE_BODY_CHARACTERS } from '../../../domain/request/outgoing-request.ts';
import { builder } from '../../builder.ts';
import { BAD_LIST_ARGUMENT } from '../shared/error-texts.ts';
import { FailureReason, SkipReason } from './execution-enums.ts';
import { ExecutionLogConnection, ExecutionLog } from './execution-log.ts';
import { logPageOf } from './execution-log-page.ts';
import { HttpRequest, requestOf } from './http-request.ts';

import { Execution } from './execution.ts';

const JOB_REQUEST = { method: true, api: true, headers: true, body: true } as const;

/** What an execution calls, and what came of it. */
builder.prismaObjectFields(Execution, (t) => ({
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
      description: `Its log, oldest line first, kept to 60 KB: of a longer one, a line says how much is left out in the middle. ${BAD_LIST_ARGUMENT}.`,
      select: { id: true },
      resolve: ({ id }, args, context) => logPageOf(id, args, context),
    },
    ExecutionLogConnection,
  ),
  deadLetter: t.relation('deadLetter', {
    nullable: true,
    description: 'Its entry in the dead letter queue; null unless it FAILED.',
  }),
}));
