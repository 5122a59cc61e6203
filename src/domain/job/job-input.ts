import {
  CLEARABLE_FIELDS,
  type FieldIssue,
  JOB_DEFAULTS,
  type JobDefinition,
  type JobInput,
  type RetryPolicyInput,
} from './job-definition.ts';
import { DEFAULT_RETRY_POLICY, type RetryPolicy } from '../execution/retry.ts';
import { holdsMask, unmaskBody } from '../request/masked-body.ts';
import { isSecretHeaderName, MASK, maskUrl } from '../request/secrets.ts';
import { isObject } from '../values/json-value.ts';
import { checkJobBody } from './job-body.ts';

/** A definition that is complete but not yet checked: `headers` may still be any JSON. */
export type Draft = Omit<JobDefinition, 'headers'> & { headers: unknown };

/** The definition of a new job. An absent field or null takes its default. */
export function draftNewJob(input: JobInput): { draft: Draft; issues: FieldIssue[] } {
  const draft: Draft = { ...JOB_DEFAULTS, name: '', api: '' };
  for (const [field, value] of entriesOf(input)) if (value !== null) assign(draft, field, value);
  const issues = [
    ...maskedUrlIssues(draft.api),
    ...maskedHeaderIssues(draft.headers),
    ...maskedBodyIssues(draft.body),
  ];
  return { draft, issues };
}

/**
 * A job's definition after an update. An absent field stays, and null clears a field that may be null. A retry policy
 * is replaced as a whole.
 *
 * The API shows secrets masked. So a client that reads a job, edits it and writes it back sends the mask. A mask in
 * the place of a secret of the job keeps that secret.
 */
export function draftUpdate(current: JobDefinition, input: JobInput): { draft: Draft; issues: FieldIssue[] } {
  const draft: Draft = { ...current };
  const issues: FieldIssue[] = [];
  for (const [field, value] of entriesOf(input)) {
    if (value === null && !CLEARABLE_FIELDS.has(field)) {
      issues.push({ path: [field], message: 'May not be null; leave it out to keep it as it is.' });
    } else {
      assign(draft, field, value);
    }
  }
  issues.push(...unmask(draft, current));
  return { draft, issues };
}

/**
 * A job's definition after it is replaced as a whole. An absent field or null takes its default, but absent tags
 * stay. A mask keeps the job's secret, as in an update.
 */
export function draftReplacement(
  current: JobDefinition,
  input: JobInput,
): { draft: Draft; issues: FieldIssue[] } {
  const { draft } = draftNewJob(input);
  draft.tags = input.tags ?? current.tags;
  return { draft, issues: unmask(draft, current) };
}

/** Replaces masks with the job's secrets. Returns the masks that stand for no secret. */
function unmask(draft: Draft, current: JobDefinition): FieldIssue[] {
  if (draft.api !== current.api && draft.api === maskUrl(current.api)) draft.api = current.api;
  if (draft.headers !== current.headers) draft.headers = unmaskHeaders(draft.headers, current.headers);
  const isNewBody = draft.body !== current.body && checkJobBody(draft.body) === null;
  if (isNewBody) draft.body = unmaskBody(draft.body, current.body);
  return [
    ...(draft.api === current.api ? [] : maskedUrlIssues(draft.api)),
    ...maskedHeaderIssues(draft.headers),
    ...(isNewBody ? maskedBodyIssues(draft.body) : []),
  ];
}

function entriesOf(input: JobInput): [keyof JobDefinition, unknown][] {
  return (Object.entries(input) as [keyof JobDefinition, unknown][]).filter(
    ([, value]) => value !== undefined,
  );
}

function assign(draft: Draft, field: keyof JobDefinition, value: unknown): void {
  const completed =
    field === 'retryPolicy' && value !== null ? completePolicy(value as RetryPolicyInput) : value;
  Object.assign(draft, { [field]: plainZero(completed) });
}

function completePolicy(input: RetryPolicyInput): RetryPolicy {
  const given = Object.entries(input).filter(([, value]) => value !== undefined && value !== null);
  return {
    ...DEFAULT_RETRY_POLICY,
    ...Object.fromEntries(given.map(([field, value]) => [field, plainZero(value)])),
  };
}

/** JSON has a -0, but no column has. With a -0, the same input would look like a change the second time. */
function plainZero<T>(value: T): T | 0 {
  return value === 0 ? 0 : value;
}

function unmaskHeaders(headers: unknown, current: Readonly<Record<string, string>>): unknown {
  if (!isObject(headers)) return headers;
  const secrets = new Map(Object.entries(current).map(([name, value]) => [name.toLowerCase(), value]));
  return Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [
      name,
      value === MASK && isSecretHeaderName(name) ? (secrets.get(name.toLowerCase()) ?? value) : value,
    ]),
  );
}

const MASK_REFUSED = `"${MASK}" stands for a secret that is not shown; give the value itself.`;

function maskedHeaderIssues(headers: unknown): FieldIssue[] {
  if (!isObject(headers)) return [];
  return Object.entries(headers)
    .filter(([name, value]) => value === MASK && isSecretHeaderName(name))
    .map(([name]) => ({ path: ['headers', name.slice(0, 128)], message: MASK_REFUSED }));
}

/** A body that is no valid one has issues of its own. */
export function maskedBodyIssues(body: unknown): FieldIssue[] {
  return checkJobBody(body) === null && holdsMask(body) ? [{ path: ['body'], message: MASK_REFUSED }] : [];
}

/**
 * Masking does not change this URL although it contains a mask. So a user has copied it from a place that shows it
 * masked.
 */
function maskedUrlIssues(api: string): FieldIssue[] {
  return api.includes(MASK) && api.length < 4096 && maskUrl(api) === api && isMaskedUrl(api)
    ? [{ path: ['api'], message: MASK_REFUSED }]
    : [];
}

function isMaskedUrl(api: string): boolean {
  return maskUrl(api.replaceAll(MASK, 'shown')) !== api.replaceAll(MASK, 'shown');
}
