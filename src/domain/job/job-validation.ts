import { checkHeaders } from '../request/header-rules.ts';
import { whyNoBody } from '../request/http-method.ts';
import { checkJobBody } from './job-body.ts';
import type { FieldIssue, JobDefinition } from './job-definition.ts';
import type { Draft } from './job-input.ts';
import { JOB_KEY_PATTERN, JOB_LIMITS, NUMBER_LIMITS, TEXT_LIMITS } from './job-limits.ts';
import { isValidTimeoutMs, TIMEOUT_LIMITS_MS } from '../request/outgoing-request.ts';
import { checkRetryPolicy } from '../execution/retry.ts';
import { parseSchedule } from '../schedule/schedule.ts';
import { checkTimezone } from '../schedule/schedule-zone.ts';
import { checkStatusPatterns } from '../request/status-pattern.ts';
import { readTagNames } from './tag.ts';
import { checkTargetUrl, MAX_TARGET_URL_LENGTH } from '../request/target-url.ts';
import { checkTemplates } from '../request/template-check.ts';
import { withSampleText } from '../request/template-request.ts';
import { checkText, isStorable } from '../values/text.ts';

/** A schedule that is not valid. It is separate from other faults, because editors show it beside its field. */
export type ScheduleIssue = { schedule: string; message: string };

export type DefinitionCheck =
  | { ok: true; definition: JobDefinition }
  | { ok: false; issues: FieldIssue[]; scheduleIssue: ScheduleIssue | null };

/**
 * Checks a whole definition and names all its faults, not only the first. It does not decide what depends on the
 * present (is there a run left?) or on the network (may this address be called?).
 *
 * @param isBodyKnown an earlier change accepted this body with the same method, so a newer rule must not refuse a
 *   change of another field
 */
export function checkJobDefinition(draft: Draft, isBodyKnown = false): DefinitionCheck {
  const issues: FieldIssue[] = [
    ...checkTexts(draft),
    ...checkWindow(draft),
    ...checkNumbers(draft),
    ...checkRequest(draft, isBodyKnown),
    ...checkPolicy(draft),
  ];
  const zone = checkTimezone(draft.timezone);
  if (zone.kind === 'INVALID') issues.push({ path: ['timezone'], message: asSentence(zone.message) });
  const tags = readTagNames(draft.tags, ['tags']);
  issues.push(...tags.issues);
  const scheduleIssue = checkSchedule(draft.schedule);

  if (issues.length > 0 || scheduleIssue !== null || zone.kind === 'INVALID')
    return { ok: false, issues, scheduleIssue };
  // checkRequest has checked that the headers are an object of texts.
  const headers = draft.headers as Record<string, string>;
  const { timezone } = zone;
  return {
    ok: true,
    definition: { ...draft, headers, body: asStored(draft.body), timezone, tags: tags.names },
  };
}

/** A JSON value as it is read back. For example, a -0 inside becomes 0. */
function asStored(body: unknown): unknown {
  return JSON.parse(JSON.stringify(body)) as unknown;
}

/** Whether the columns and every client's date type can hold an instant. */
export function isStorableInstant(at: Date): boolean {
  return at.getTime() >= 0 && at.getTime() <= Date.UTC(9999, 11, 31, 23, 59, 59, 999);
}

function checkTexts(draft: Draft): FieldIssue[] {
  return Object.entries(TEXT_LIMITS).flatMap(([field, limit]) => {
    const text = draft[field as keyof typeof TEXT_LIMITS];
    const message = text === null ? null : (checkText(text, limit) ?? checkSpelling(field, text));
    return message === null ? [] : [{ path: [field], message }];
  });
}

/** Checks a text that is not too long against the rules of its field. */
function checkSpelling(field: string, text: string): string | null {
  if (field === 'name' && text.trim() === '') return 'Consists of white space only.';
  if (field === 'key' && !JOB_KEY_PATTERN.test(text))
    return 'May hold letters, digits and . _ : / - only, and begins with a letter or digit.';
  return null;
}

function checkWindow({ schedule, runAt, startAt, endAt }: Draft): FieldIssue[] {
  const issues: FieldIssue[] = [];
  for (const [field, at] of Object.entries({ runAt, startAt, endAt })) {
    if (at !== null && !isStorableInstant(at))
      issues.push({ path: [field], message: 'Must lie in the years 1970 to 9999.' });
  }
  if (schedule !== null && runAt !== null) {
    issues.push({
      path: ['runAt'],
      message: 'A job has a schedule or a runAt, not both; set the other one to null.',
    });
  }
  if (startAt !== null && endAt !== null && startAt >= endAt) {
    issues.push({ path: ['endAt'], message: 'Must be later than startAt.' });
  }
  return issues;
}

function checkNumbers(draft: Draft): FieldIssue[] {
  const issues: FieldIssue[] = [];
  for (const [name, { min, max }] of Object.entries(NUMBER_LIMITS)) {
    const field = name as keyof typeof NUMBER_LIMITS;
    const value = draft[field];
    if (value === null) continue;
    if (!Number.isInteger(value) || value < min || value > max) {
      issues.push({
        path: [field],
        message: `Must be a whole number from ${min} to ${max}; it is ${value}.`,
      });
    }
  }
  if (!isValidTimeoutMs(draft.timeoutMs)) {
    const { min, max } = TIMEOUT_LIMITS_MS;
    issues.push({
      path: ['timeoutMs'],
      message: `Must be a whole number from ${min} to ${max}; it is ${draft.timeoutMs}.`,
    });
  }
  return issues;
}

function checkRequest(
  { api, method, headers, body, successStatuses }: Draft,
  isBodyKnown: boolean,
): FieldIssue[] {
  const issues: FieldIssue[] = [];
  const url = checkTargetUrl(api.length > MAX_TARGET_URL_LENGTH ? api : withSampleText(api));
  if (url) issues.push({ path: ['api'], message: url.message });
  else if (!isStorable(api)) issues.push({ path: ['api'], message: 'Must be valid Unicode.' });

  const header = checkHeaders(headers);
  if (header)
    issues.push({
      path: header.name === '' ? ['headers'] : ['headers', header.name],
      message: header.message,
    });
  else if (headerBytes(headers) > JOB_LIMITS.headersBytes) {
    issues.push({
      path: ['headers'],
      message: `Names and values have more than ${JOB_LIMITS.headersBytes} bytes together.`,
    });
  }
  const bodyMessage = isBodyKnown ? null : (whyNoBody(method, body) ?? checkJobBody(body));
  if (bodyMessage !== null) issues.push({ path: ['body'], message: bodyMessage });
  issues.push(
    ...checkTemplates({
      ...(url ? {} : { api }),
      ...(header ? {} : { headers: headers as Record<string, string> }),
      ...(bodyMessage === null ? { body } : {}),
    }),
  );

  const pattern = checkStatusPatterns(successStatuses, { allowEmpty: false });
  if (pattern)
    issues.push({ path: ['successStatuses', ...placeOf(pattern.index)], message: pattern.message });
  return issues;
}

function headerBytes(headers: unknown): number {
  return Object.entries(headers as Record<string, string>).reduce(
    (bytes, [name, value]) => bytes + Buffer.byteLength(name) + Buffer.byteLength(value),
    0,
  );
}

function checkPolicy({ retryPolicy }: Draft): FieldIssue[] {
  if (retryPolicy === null) return [];
  return checkRetryPolicy(retryPolicy).map(({ field, message }) => ({
    path: ['retryPolicy', field],
    message,
  }));
}

function checkSchedule(schedule: string | null): ScheduleIssue | null {
  if (schedule === null) return null;
  const parsed = parseSchedule(schedule);
  return parsed.kind === 'INVALID' ? scheduleIssueOf(schedule, parsed.message) : null;
}

/** Repeats the refused text, but not megabytes of it and no unprintable characters. */
export function scheduleIssueOf(schedule: string, message: string): ScheduleIssue {
  return { schedule: schedule.slice(0, 256).replaceAll('\0', '\uFFFD').toWellFormed(), message };
}

function placeOf(index: number | null): string[] {
  return index === null ? [] : [String(index)];
}

/** Removes the field's name, which the zone's message has for places without a path. */
function asSentence(message: string): string {
  return message.replace(/^timezone: /, '');
}
