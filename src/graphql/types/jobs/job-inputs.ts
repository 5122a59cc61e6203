import type { InputFieldBuilder } from '../../builder.ts';
import { builder } from '../../builder.ts';
import { HEADER_LIMITS } from '../../../domain/request/header-rules.ts';
import { DAY_MS, SECOND_MS } from '../../../domain/schedule/cron-wall.ts';
import { JOB_DEFAULTS } from '../../../domain/job/job-definition.ts';
import { JOB_LIMITS } from '../../../domain/job/job-limits.ts';
import { MAX_JSON_DEPTH } from '../../../domain/values/json-value.ts';
import { TIMEOUT_LIMITS_MS } from '../../../domain/request/outgoing-request.ts';
import { DEFAULT_RETRY_POLICY, RETRY_LIMITS } from '../../../domain/execution/retry.ts';
import { MAX_INTERVAL_MS, MAX_SCHEDULE_LENGTH, MIN_INTERVAL_MS } from '../../../domain/schedule/schedule.ts';
import { MAX_STATUS_PATTERNS } from '../../../domain/request/status-pattern.ts';
import { TAG_LIMITS, TAG_NAME_RULE } from '../../../domain/job/tag.ts';
import { MAX_TARGET_URL_LENGTH } from '../../../domain/request/target-url.ts';
import { TEMPLATE_NAMES } from '../../../domain/request/template.ts';
import { MAX_TEMPLATES } from '../../../domain/request/template-request.ts';
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
const EVERY_RANGE = `${MIN_INTERVAL_MS / SECOND_MS}s to ${MAX_INTERVAL_MS / DAY_MS}d`;
const BODY_LIMIT = `Up to ${JOB_LIMITS.bodyBytes} bytes as JSON, nested up to ${MAX_JSON_DEPTH} levels, whole numbers up to ±${Number.MAX_SAFE_INTEGER}: larger ones as text.`;
const NOT_NULL = 'Null is refused.';

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

/** What the description of a field ends with, which differs between a new job and a change of one. */
interface Endings {
  /** Of a field that is never null, with its default. */
  set: (preset: string | number) => string;
  /** Of a field that may be null, with what null stands for. */
  clearable: (meaning: string) => string;
  tags: string;
  status: string;
  secret: string;
}

const IN_NEW_JOB: Endings = {
  set: (preset) => `Default ${preset}.`,
  clearable: (meaning) => `Default null: ${meaning}.`,
  tags: 'Default none; where an upsert leaves them out, a job keeps those that it has.',
  status: 'Default ACTIVE; where an upsert leaves it out, a job keeps the one that it has.',
  secret: 'In an upsert',
};
const IN_CHANGE: Endings = {
  set: () => NOT_NULL,
  clearable: (meaning) => `Null: ${meaning}.`,
  tags: `[] takes all of them off. ${NOT_NULL}`,
  status: `ACTIVE resumes a paused job. ${NOT_NULL}`,
  secret: 'Here',
};

/** When it runs. */
function scheduleFields(t: InputFieldBuilder, { set, clearable }: Endings) {
  return {
    schedule: t.string({
      description: `Cron with 6 fields (seconds first) or 5, a nickname such as @hourly, or @every 90s (${EVERY_RANGE}, counted from \`startAt\`, else from the job’s creation); up to ${MAX_SCHEDULE_LENGTH} characters. Excludes \`runAt\`. ${clearable('without a `runAt` either, the job runs when it is triggered')}`,
    }),
    timezone: t.string({
      description: `IANA name such as Europe/Berlin of the zone that the schedule is read in. ${set(JOB_DEFAULTS.timezone)}`,
    }),
    runAt: t.field({
      type: 'DateTime',
      description: `One-off run at this instant, which lies within \`startAt\` and \`endAt\`. May lie in the past by \`misfireGraceMs\`, and then runs at once. Excludes \`schedule\`. ${clearable('none')}`,
    }),
    startAt: t.field({
      type: 'DateTime',
      description: `No slot lies before it; one may lie on it. ${clearable('no such bound')}`,
    }),
    endAt: t.field({
      type: 'DateTime',
      description: `No slot lies after it; one may lie on it. Later than \`startAt\`, and late enough to leave a run. ${clearable('no such bound')}`,
    }),
    jitterMs: t.int({
      description: `Put off each slot’s call by up to this many milliseconds, ${JOB_LIMITS.jitterMs.min} to ${JOB_LIMITS.jitterMs.max}. ${set(JOB_DEFAULTS.jitterMs)}`,
    }),
    misfirePolicy: t.field({
      type: MisfirePolicy,
      description: `What happens to slots that were missed. ${set(JOB_DEFAULTS.misfirePolicy)}`,
    }),
    misfireGraceMs: t.int({
      description: `How late in milliseconds a slot may be served before it counts as missed, ${JOB_LIMITS.misfireGraceMs.min} to ${JOB_LIMITS.misfireGraceMs.max}. ${set(JOB_DEFAULTS.misfireGraceMs)}`,
    }),
    dstGapPolicy: t.field({
      type: DstGapPolicy,
      description: `What happens to a slot that a clock change skips. ${set(JOB_DEFAULTS.dstGapPolicy)}`,
    }),
    dstOverlapPolicy: t.field({
      type: DstOverlapPolicy,
      description: `Which of two equal local times fires. ${set(JOB_DEFAULTS.dstOverlapPolicy)}`,
    }),
  };
}

/** What it calls, and how the outcome of a call is judged. */
function requestFields(t: InputFieldBuilder, { set, clearable, ...endings }: Endings) {
  return {
    method: t.field({ type: HttpMethod, description: `The method of the call. ${set(JOB_DEFAULTS.method)}` }),
    headers: t.field({
      type: 'JSON',
      description: `An object of names and text values: ${HEADER_LIMITS.count} at most, names of up to ${HEADER_LIMITS.nameLength} characters, values of up to ${HEADER_LIMITS.valueLength}, Latin-1 without line breaks, ${JOB_LIMITS.headersBytes} bytes together. Upper and lower case of names do not differ; those that frame the message, such as Content-Length, are refused, and those that name the call, such as X-Execution-Id, are the scheduler’s to set. Values may hold templates. ${endings.secret}, the value \`***\` leaves a secret as it is. ${set('{}')}`,
    }),
    body: t.field({
      type: 'JSON',
      description: `A text is sent as it is, any other value as JSON. Texts in it may hold templates. ${BODY_LIMIT} ${clearable('none is sent')}`,
    }),
    timeoutMs: t.int({
      description: `How long one attempt may take in milliseconds, ${TIMEOUT_LIMITS_MS.min} to ${TIMEOUT_LIMITS_MS.max}. ${set(JOB_DEFAULTS.timeoutMs)}`,
    }),
    successStatuses: t.stringList({
      description: `Statuses that count as success, ${PATTERNS}, one at least. ${set(JOB_DEFAULTS.successStatuses.join(', '))}`,
    }),
    completion: t.field({
      type: JobCompletion,
      description: `What makes an attempt a success. ${set(JOB_DEFAULTS.completion)}`,
    }),
    completionTimeoutMs: t.int({
      description: `How long after the answer a callback is awaited in milliseconds, ${JOB_LIMITS.completionTimeoutMs.min} to ${JOB_LIMITS.completionTimeoutMs.max}. Of no effect without CALLBACK. ${set(JOB_DEFAULTS.completionTimeoutMs)}`,
    }),
    retryPolicy: t.field({
      type: RetryPolicyInput,
      description: `How failed attempts are repeated. It is stored as a whole: {} is a policy with all that RetryPolicyInput fills in. ${clearable('a failed attempt is final')}`,
    }),
  };
}

/** The fields that creating and changing a job have in common. */
function jobFields(t: InputFieldBuilder, endings: Endings) {
  const { set, clearable } = endings;
  return {
    ...scheduleFields(t, endings),
    ...requestFields(t, endings),
    key: t.string({
      description: `Unique among the jobs that are not deleted: ${JOB_LIMITS.key.min} to ${JOB_LIMITS.key.max} letters, digits and . _ : / -, the first a letter or digit. ${clearable('none')}`,
    }),
    description: t.string({
      description: `What it is for, up to ${JOB_LIMITS.description.max} characters. ${clearable('none')}`,
    }),
    type: t.field({
      type: JobType,
      description: `What is promised when a process dies during a call. ${set(JOB_DEFAULTS.type)}`,
    }),
    concurrencyPolicy: t.field({
      type: ConcurrencyPolicy,
      description: `What happens to an execution while others of the job are unfinished. ${set(JOB_DEFAULTS.concurrencyPolicy)}`,
    }),
    maxConcurrency: t.int({
      description: `Executions that may be unfinished at once, ${JOB_LIMITS.maxConcurrency.min} to ${JOB_LIMITS.maxConcurrency.max}. ${clearable('one, or any number under ALLOW')}`,
    }),
    priority: t.int({
      description: `Of executions that are due, those with the higher priority start first, those with trigger CATCH_UP after all others: ${JOB_LIMITS.priority.min} to ${JOB_LIMITS.priority.max}. ${set(JOB_DEFAULTS.priority)}`,
    }),
    status: t.field({ type: JobStatus, description: `ACTIVE or PAUSED. ${endings.status}` }),
    tags: t.stringList({
      description: `Names of all the tags that it is to have, ${TAG_LIMITS.perJob} at most; unknown ones are created. ${TAG_NAME_RULE} each. ${endings.tags}`,
    }),
  };
}

const NAME = `A name for people, ${JOB_LIMITS.name.min} to ${JOB_LIMITS.name.max} characters, not only white space.`;
const API = `The URL that is called: http or https, up to ${MAX_TARGET_URL_LENGTH} characters. Behind the host it may hold templates, which each call fills: ${TEMPLATE_NAMES.map((name) => `\`{{${name}}}\``).join(', ')}. URL, headers and body may hold ${MAX_TEMPLATES} of them together.`;
const EXPECTED_VERSION = 'Refuse the change unless the job is at this version; null asks for none.';
const ID = 'The job’s id.';

export const CreateJobInput = builder.inputType('CreateJobInput', {
  description: 'A new job. What is absent or null takes its default.',
  fields: (t) => ({
    name: t.string({ required: true, description: NAME }),
    api: t.string({ required: true, description: API }),
    ...jobFields(t, IN_NEW_JOB),
  }),
});

export const UpdateJobInput = builder.inputType('UpdateJobInput', {
  description:
    'A change of a job. A field that is absent stays as it is; each says what null makes of it, or that it is refused.',
  fields: (t) => ({
    id: t.id({ required: true, description: ID }),
    expectedVersion: t.int({ description: EXPECTED_VERSION }),
    name: t.string({ description: `${NAME} ${NOT_NULL}` }),
    api: t.string({
      description: `${API} As it was read, masks included, it leaves the URL as it is. ${NOT_NULL}`,
    }),
    ...jobFields(t, IN_CHANGE),
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
      description:
        'When the job goes on by itself, in the future: with the first slot behind it. Null: when somebody resumes it.',
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
      description: `Replaces the job’s body for this run, templates included; null sends none, as HEAD must. ${BODY_LIMIT}`,
    }),
    idempotencyKey: t.string({
      description: `${JOB_LIMITS.idempotencyKey.min} to ${JOB_LIMITS.idempotencyKey.max} characters. A call with a key that the same job was triggered with before makes no execution but answers with that first one, whatever the body, for as long as it is kept: EXECUTION_RETENTION_DAYS after its end, and longer while its dead letter is open.`,
    }),
  }),
});
