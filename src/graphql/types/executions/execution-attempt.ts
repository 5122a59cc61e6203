import { KEPT_RESPONSE_HEADERS, longestText, MAX_ERROR_CHARACTERS } from '../../answer-sizes.ts';
import { MAX_RESPONSE_BODY_CHARACTERS } from '../../../domain/request/outgoing-request.ts';
import type { KeptTimings } from '../../../domain/request/outgoing-request.ts';
import { builder } from '../../builder.ts';
import { FailureReason } from './execution-enums.ts';

export const AttemptTimings = builder.objectRef<KeptTimings>('AttemptTimings').implement({
  description: 'Milliseconds spent in each phase of a call; null where a phase did not take place.',
  fields: (t) => ({
    dnsMs: t.exposeFloat('dnsMs', { nullable: true, description: 'Resolving the name.' }),
    connectMs: t.exposeFloat('connectMs', { nullable: true, description: 'Connecting.' }),
    tlsMs: t.exposeFloat('tlsMs', { nullable: true, description: 'The TLS handshake.' }),
    firstByteMs: t.exposeFloat('firstByteMs', {
      nullable: true,
      description: 'From the request to the answer’s first byte.',
    }),
    downloadMs: t.exposeFloat('downloadMs', { nullable: true, description: 'Reading the answer.' }),
    totalMs: t.exposeFloat('totalMs', { nullable: true, description: 'The whole call.' }),
  }),
});

builder.prismaObject('ExecutionAttempt', {
  description: 'One finished call of an execution’s target.',
  select: { executionId: true, number: true },
  fields: (t) => ({
    number: t.exposeInt('number', { description: 'From 1, without holes.' }),
    startedAt: t.expose('startedAt', { type: 'DateTime', description: 'When the call was begun.' }),
    finishedAt: t.expose('finishedAt', {
      type: 'DateTime',
      nullable: true,
      description: 'When its end was known.',
    }),
    durationMs: t.exposeInt('durationMs', {
      nullable: true,
      description: 'finishedAt minus startedAt, in milliseconds.',
    }),
    responseStatus: t.exposeInt('responseStatus', {
      nullable: true,
      description: 'HTTP status; null where no answer came.',
    }),
    failureReason: t.expose('failureReason', {
      type: FailureReason,
      nullable: true,
      description: 'Why it failed; null where it succeeded.',
    }),
    errorMessage: t.exposeString('errorMessage', {
      extensions: longestText(MAX_ERROR_CHARACTERS),
      nullable: true,
      description: 'The failure in words.',
    }),
    responseHeaders: t.expose('responseHeaders', {
      extensions: KEPT_RESPONSE_HEADERS,
      type: 'JSON',
      nullable: true,
      description: 'Headers of the answer.',
    }),
    responseBody: t.exposeString('responseBody', {
      extensions: longestText(MAX_RESPONSE_BODY_CHARACTERS),
      nullable: true,
      description: 'The answer’s first 5,000 characters.',
    }),
    instanceId: t.exposeString('instanceId', {
      nullable: true,
      description: 'The instance that made the call.',
    }),
    timings: t.field({
      type: AttemptTimings,
      nullable: true,
      description: 'Milliseconds spent in each phase of the call.',
      select: { timings: true },
      resolve: ({ timings }) => timings as KeptTimings | null,
    }),
  }),
});
