import type { FieldIssue } from '../job/job-definition.ts';
import { checkJsonValue } from '../values/json-value.ts';
import { checkText, type TextLimit } from '../values/text.ts';

/** The largest body of a callback, in bytes. */
export const MAX_CALLBACK_BYTES = 262_144;

const MESSAGE_LIMIT: TextLimit = { min: 0, max: 1_000 };

/** What a target says of the work that it was called for. */
export type CallbackReport = {
  status: 'success' | 'failure';
  /** In words, for the execution's log; null where nothing was said. */
  message: string | null;
  /** What the work gave, as text: JSON where it was anything else; null where nothing was sent. Not cut yet. */
  output: string | null;
  /** False: whatever the job's retry policy says, the work is not to be tried again. */
  retry: boolean;
};

/** What became of a callback: taken; its attempt had been called back already; or its attempt was over. */
export type CallbackAnswer = 'completed' | 'repeated' | 'late';

const FIELDS: ReadonlySet<string> = new Set(['status', 'message', 'output', 'retry']);

/**
 * Reads a callback's body as a target wrote it. A field that is not known is refused: a misspelt `retry` would
 * otherwise repeat work that must not be repeated.
 */
export function readCallbackReport(
  body: unknown,
): { ok: true; report: CallbackReport } | { ok: false; issues: FieldIssue[] } {
  if (typeof body !== 'object' || body === null || Array.isArray(body))
    return { ok: false, issues: [{ path: [], message: 'The body must be a JSON object.' }] };

  const { status, message, output, retry } = body as Record<string, unknown>;
  const issues: FieldIssue[] = [
    ...unknownFields(body),
    ...issueOf('status', status === 'success' || status === 'failure', 'Must be "success" or "failure".'),
    ...messageIssues(message),
    ...issueOf('retry', isAbsent(retry) || typeof retry === 'boolean', 'Must be true or false.'),
    ...outputIssues(output),
  ];
  if (issues.length > 0) return { ok: false, issues };
  return {
    ok: true,
    report: {
      status: status as CallbackReport['status'],
      message: isAbsent(message) || message === '' ? null : (message as string),
      output: outputText(output),
      retry: retry !== false,
    },
  };
}

function unknownFields(body: object): FieldIssue[] {
  return Object.keys(body)
    .filter((name) => !FIELDS.has(name))
    .map((name) => ({
      path: [name.slice(0, 64)],
      message: `Is not known; allowed are ${[...FIELDS].join(', ')}.`,
    }));
}

function messageIssues(message: unknown): FieldIssue[] {
  if (isAbsent(message)) return [];
  if (typeof message !== 'string') return [{ path: ['message'], message: 'Must be text.' }];
  const problem = checkText(message, MESSAGE_LIMIT);
  return problem === null ? [] : [{ path: ['message'], message: problem }];
}

function outputIssues(output: unknown): FieldIssue[] {
  const problem = output === undefined ? null : checkJsonValue(output, MAX_CALLBACK_BYTES);
  return problem === null ? [] : [{ path: ['output'], message: problem }];
}

function outputText(output: unknown): string | null {
  if (isAbsent(output)) return null;
  return typeof output === 'string' ? output : JSON.stringify(output);
}

function issueOf(field: string, isRight: boolean, message: string): FieldIssue[] {
  return isRight ? [] : [{ path: [field], message }];
}

function isAbsent(value: unknown): value is null | undefined {
  return value === undefined || value === null;
}
