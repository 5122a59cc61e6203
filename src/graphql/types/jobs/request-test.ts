import { KEPT_RESPONSE_HEADERS, longestText, MAX_ERROR_CHARACTERS } from '../../answer-sizes.ts';
import { MAX_RESPONSE_BODY_CHARACTERS } from '../../../domain/request/outgoing-request.ts';
import type { CommandError } from '../../../commands/command-result.ts';
import {
  MAX_TEST_TIMEOUT_MS,
  MAX_TESTS_AT_ONCE,
  type RequestTest as Shape,
} from '../../../commands/jobs/test-request.ts';
import { builder } from '../../builder.ts';
import { needs } from '../../roles.ts';
import { AttemptTimings } from '../executions/execution-attempt.ts';
import { FailureReason } from '../executions/execution-enums.ts';
import { CreateJobInput } from './job-inputs.ts';
import { MutationError } from '../shared/mutation-errors.ts';

const RequestTest = builder.objectRef<Shape>('RequestTest').implement({
  description: 'What one call of a request came to that is not stored as a job.',
  fields: (t) => ({
    ok: t.exposeBoolean('ok', {
      description: 'Whether the answer’s status is one of the `successStatuses`.',
    }),
    responseStatus: t.exposeInt('responseStatus', {
      nullable: true,
      description: 'HTTP status; null where no answer came.',
    }),
    responseHeaders: t.expose('responseHeaders', {
      extensions: KEPT_RESPONSE_HEADERS,
      type: 'JSON',
      nullable: true,
      description: 'Headers of the answer, those that carry credentials as `***`; null where no answer came.',
    }),
    responseBody: t.exposeString('responseBody', {
      extensions: longestText(MAX_RESPONSE_BODY_CHARACTERS),
      nullable: true,
      description: 'The answer’s first 5,000 characters; null where no answer came.',
    }),
    failureReason: t.expose('failureReason', {
      type: FailureReason,
      nullable: true,
      description: 'Why it failed; null where it did not.',
    }),
    errorMessage: t.exposeString('errorMessage', {
      extensions: longestText(MAX_ERROR_CHARACTERS),
      nullable: true,
      description: 'The failure in words.',
    }),
    durationMs: t.int({
      description: 'How long the call took, in milliseconds.',
      resolve: ({ timings }) => Math.max(0, Math.round(timings.totalMs)),
    }),
    timings: t.expose('timings', {
      type: AttemptTimings,
      nullable: true,
      description: 'Milliseconds spent in each phase of the call.',
    }),
  }),
});

const RequestTestPayload = builder
  .objectRef<{ test: Shape | null; errors: CommandError[] }>('RequestTestPayload')
  .implement({
    description: 'What became of a request that was to be tested.',
    fields: (t) => ({
      test: t.expose('test', {
        type: RequestTest,
        nullable: true,
        description: 'What the call came to, failures included; null where it was not made.',
      }),
      errors: t.expose('errors', {
        type: [MutationError],
        description: 'Why no call was made; empty where one was.',
      }),
    }),
  });

builder.mutationField('testRequest', (t) =>
  t.field({
    authScopes: needs('EDITOR'),
    type: RequestTestPayload,
    description: `Sends the request once, now, without storing a job; templates see sample values. It is sent as an attempt of a job would be, with headers of its own, to what a job may call; a callback is not asked for. Within \`timeoutMs\`, but ${MAX_TEST_TIMEOUT_MS} ms at most. ValidationError where a field is not what it may be; TargetBlockedError where the operator has blocked the URL’s address; ConflictError where ${MAX_TESTS_AT_ONCE} tests are under way on this instance.`,
    args: {
      input: t.arg({
        type: CreateJobInput,
        required: true,
        description:
          'The job whose request to send. Only `api`, `method`, `headers`, `body`, `timeoutMs` and `successStatuses` are looked at.',
      }),
    },
    resolve: async (_root, { input }, { testRequest, caller }) => {
      const result = await testRequest(caller, input);
      return result.ok ? { test: result.value, errors: [] } : { test: null, errors: result.errors };
    },
  }),
);
