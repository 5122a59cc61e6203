import type { InputFieldBuilder } from '../builder.ts';
import { builder } from '../builder.ts';
import { HEADER_LIMITS } from '../../domain/header-rules.ts';
import { JOB_DEFAULTS } from '../../domain/job-definition.ts';
import { JOB_LIMITS } from '../../domain/job-limits.ts';
import { TIMEOUT_LIMITS_MS } from '../../domain/outgoing-request.ts';
import { DEFAULT_RETRY_POLICY, RETRY_LIMITS } from '../../domain/retry.ts';
import { MAX_SCHEDULE_LENGTH } from '../../domain/schedule.ts';
import { MAX_STATUS_PATTERNS } from '../../domain/status-pattern.ts';
import { TAG_LIMITS, TAG_NAME_RULE } from '../../domain/tag.ts';
import { MAX_TARGET_URL_LENGTH } from '../../domain/target-url.ts';
import { TEMPLATE_NAMES } from '../../domain/template.ts';
import {
  BackoffStrategy,
  DstGapPolicy,
  DstOverlapPolicy,
  HttpMethod,
  JobCompletion,
  JobStatus,
  JobType,
  MisfirePolicy,
  ConcurrencyPolicy,
} from './job-enums.ts';

const { maxRetries, delayMs, jitter } = RETRY_LIMITS;
const PATTERNS = `each a status (200), a class (2xx) or a range (500-599), ${MAX_STATUS_PATTERNS} at most`;

const RetryPolicyInput = builder.inputType('RetryPolicyInput', {
  description:
    'How failed attempts are to be repeated. It is stored as a whole: what is left out takes its default.',
  fields: (t) => ({
    maxRetries: t.int({
      required: true,
      defaultValue: DEFAULT_RETRY_POLICY.maxRetries,
      description: `Retries after the first attempt, ${maxRetries.min} to ${maxRetries.max}.`,
    }),
    backoffStrategy: t.field({
      type: BackoffStrategy,
      required: true,
      defaultValue: DEFAULT_RETRY_POLICY.backoffStrategy,
      description: 'How the wait grows.',
    }),
    initialDelayMs: t.int({
      required: true,
      defaultValue: DEFAULT_RETRY_POLICY.initialDelayMs,
      description: `The first wait in milliseconds, ${delayMs.min} to ${delayMs.max}.`,
    }),
    maxDelayMs: t.int({
      required: true,
      defaultValue: DEFAULT_RETRY_POLICY.maxDelayMs,
      description: `No wait is longer, in milliseconds, ${delayMs.min} to ${delayMs.max}.`,
    }),
    jitter: t.float({
      required: true,
      defaultValue: DEFAULT_RETRY_POLICY.jitter,
      description: `Share of the delay that is random, ${jitter.min} to ${jitter.max}.`,
    }),
    retryOn: t.stringList({
      description: `Statuses to retry, ${PATTERNS}; default ${DEFAULT_RETRY_POLICY.retryOn.join(', ')}. An empty list retries none.`,
    }),
    respectRetryAfter: t.boolean({
      required: true,
      defaultValue: DEFAULT_RETRY_POLICY.respectRetryAfter,
      description: 'Whether a Retry-After header lengthens the wait, up to `maxDelayMs`.',
    }),
  }),
});

/** The fields that creating and changing a job have in common. */
function jobFields(t: InputFieldBuilder) {
  return {
    key: t.string({
      description: `Unique among the jobs that are not deleted: ${JOB_LIMITS.key.min} to ${JOB_LIMITS.key.max} letters, digits and . _ : / -, the first a letter or digit.`,
    }),
    description: t.string({ description: `What it is for, up to ${JOB_LIMITS.description.max} characters.` }),
    schedule: t.string({
      description: `Cron with 6 fields (seconds first) or 5, a nickname such as @hourly, or @every 90s (counted from \`startAt\`, else from the job’s creation); up to ${MAX_SCHEDULE_LENGTH} characters. Excludes \`runAt\`; with neither, the job runs when it is triggered.`,
    }),
    timezone: t.string({
      description: `IANA name such as Europe/Berlin of the zone that the schedule is read in; default ${JOB_DEFAULTS.timezone}.`,
    }),
    runAt: t.field({
      type: 'DateTime',
      description:
        'One-off run at this instant. May lie in the past by `misfireGraceMs`, and then runs at once.',
    }),
    startAt: t.field({ type: 'DateTime', description: 'No slot lies before it; one may lie on it.' }),
    endAt: t.field({ type: 'DateTime', description: 'No slot lies after it; one may lie on it.' }),
    jitterMs: t.int({
      description: `Put off each slot’s call by up to this many milliseconds, ${JOB_LIMITS.jitterMs.min} to ${JOB_LIMITS.jitterMs.max}; default ${JOB_DEFAULTS.jitterMs}.`,
    }),
    method: t.field({ type: HttpMethod, description: `Default ${JOB_DEFAULTS.method}.` }),
    headers: t.field({
      type: 'JSON',
      description: `An object of names and text values: ${HEADER_LIMITS.count} at most, ${JOB_LIMITS.headersBytes} bytes together. Values may hold templates. In an update, the value \`***\` leaves a secret as it is.`,
    }),
    body: t.field({
      type: 'JSON',
      description: `A text is sent as it is, any other value as JSON; null sends none. Texts may hold templates. Up to ${JOB_LIMITS.bodyBytes} bytes as JSON.`,
    }),
    type: t.field({ type: JobType, description: `Default ${JOB_DEFAULTS.type}.` }),
    timeoutMs: t.int({
      description: `How long one attempt may take in milliseconds, ${TIMEOUT_LIMITS_MS.min} to ${TIMEOUT_LIMITS_MS.max}; default ${JOB_DEFAULTS.timeoutMs}.`,
    }),
    successStatuses: t.stringList({
      description: `Statuses that count as success, ${PATTERNS}; default ${JOB_DEFAULTS.successStatuses.join(', ')}.`,
    }),
    completion: t.field({ type: JobCompletion, description: `Default ${JOB_DEFAULTS.completion}.` }),
    completionTimeoutMs: t.int({
      description: `How long after the answer a callback is awaited in milliseconds, ${JOB_LIMITS.completionTimeoutMs.min} to ${JOB_LIMITS.completionTimeoutMs.max}; default ${JOB_DEFAULTS.completionTimeoutMs}. Of no effect without CALLBACK.`,
    }),
    retryPolicy: t.field({
      type: RetryPolicyInput,
      description:
        'How failed attempts are repeated; null, the default: a failed attempt is final. {} takes all defaults of a policy.',
    }),
    concurrencyPolicy: t.field({
      type: ConcurrencyPolicy,
      description: `Default ${JOB_DEFAULTS.concurrencyPolicy}.`,
    }),
    maxConcurrency: t.int({
      description: `Executions that may be unfinished at once, ${JOB_LIMITS.maxConcurrency.min} to ${JOB_LIMITS.maxConcurrency.max}; null, the default: one, or any number under ALLOW.`,
    }),
    misfirePolicy: t.field({ type: MisfirePolicy, description: `Default ${JOB_DEFAULTS.misfirePolicy}.` }),
    misfireGraceMs: t.int({
      description: `How late in milliseconds a slot may be served before it counts as missed, ${JOB_LIMITS.misfireGraceMs.min} to ${JOB_LIMITS.misfireGraceMs.max}; default ${JOB_DEFAULTS.misfireGraceMs}.`,
    }),
    dstGapPolicy: t.field({ type: DstGapPolicy, description: `Default ${JOB_DEFAULTS.dstGapPolicy}.` }),
    dstOverlapPolicy: t.field({
      type: DstOverlapPolicy,
      description: `Default ${JOB_DEFAULTS.dstOverlapPolicy}.`,
    }),
    priority: t.int({
      description: `Of executions that are due, those with the higher priority start first, those with trigger CATCH_UP after all others: ${JOB_LIMITS.priority.min} to ${JOB_LIMITS.priority.max}; default ${JOB_DEFAULTS.priority}.`,
    }),
    status: t.field({ type: JobStatus, description: 'ACTIVE or PAUSED; a new job is ACTIVE by default.' }),
    tags: t.stringList({
      description: `Names of all the tags that it is to have, ${TAG_LIMITS.perJob} at most; unknown ones are created. ${TAG_NAME_RULE} each. In an update, [] takes all of them off.`,
    }),
  };
}

const NAME = `A name for people, ${JOB_LIMITS.name.min} to ${JOB_LIMITS.name.max} characters.`;
const API = `The URL that is called: http or https, up to ${MAX_TARGET_URL_LENGTH} characters. Behind the host it may hold templates, which each call fills: ${TEMPLATE_NAMES.map((name) => `\`{{${name}}}\``).join(', ')}.`;
const EXPECTED_VERSION = 'Refuse the change unless the job is at this version.';
const ID = 'The job’s id.';

export const CreateJobInput = builder.inputType('CreateJobInput', {
  description: 'A new job. What is absent or null takes its default.',
  fields: (t) => ({
    name: t.string({ required: true, description: NAME }),
    api: t.string({ required: true, description: API }),
    ...jobFields(t),
  }),
});

export const UpdateJobInput = builder.inputType('UpdateJobInput', {
  description: 'A change of a job. Absent leaves as it is; null clears where a field may be null.',
  fields: (t) => ({
    id: t.id({ required: true, description: ID }),
    expectedVersion: t.int({ description: EXPECTED_VERSION }),
    name: t.string({ description: NAME }),
    api: t.string({ description: `${API} As it was read, masks included, it leaves the URL as it is.` }),
    ...jobFields(t),
  }),
});

export const DeleteJobInput = builder.inputType('DeleteJobInput', {
  description: 'Which job to delete.',
  fields: (t) => ({
    id: t.id({ required: true, description: ID }),
    expectedVersion: t.int({ description: EXPECTED_VERSION }),
  }),
});

export const PauseJobInput = builder.inputType('PauseJobInput', {
  description: 'Which job to pause.',
  fields: (t) => ({
    id: t.id({ required: true, description: ID }),
    reason: t.string({
      description: `Why, for others to read, up to ${JOB_LIMITS.pauseReason.max} characters.`,
    }),
    until: t.field({
      type: 'DateTime',
      description: 'When the job goes on by itself; null: when somebody resumes it.',
    }),
  }),
});

export const ResumeJobInput = builder.inputType('ResumeJobInput', {
  description: 'Which job to resume.',
  fields: (t) => ({ id: t.id({ required: true, description: ID }) }),
});

export const TriggerJobInput = builder.inputType('TriggerJobInput', {
  description: 'Which job to run now.',
  fields: (t) => ({
    id: t.id({ required: true, description: ID }),
    body: t.field({
      type: 'JSON',
      description: `Replaces the job’s body for this run, templates included; null sends none. Up to ${JOB_LIMITS.bodyBytes} bytes as JSON.`,
    }),
    idempotencyKey: t.string({
      description: `A repeated key returns the first execution: ${JOB_LIMITS.idempotencyKey.min} to ${JOB_LIMITS.idempotencyKey.max} characters.`,
    }),
  }),
});
