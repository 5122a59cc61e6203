import type { Clock } from '../../domain/values/clock.ts';
import type { JobDefinition } from '../../domain/job/job-definition.ts';
import { draftNewJob } from '../../domain/job/job-input.ts';
import { type AttemptOutcome, classifyOutcome, type FailureReason } from '../../domain/execution/outcome.ts';
import type { AttemptTimings, OutgoingRequest } from '../../domain/request/outgoing-request.ts';
import { encodePublicId } from '../../domain/values/public-id.ts';
import { maskHeaders, maskUrl } from '../../domain/request/secrets.ts';
import { SAMPLE_VALUES, type TemplateValues } from '../../domain/request/template.ts';
import { createLogger } from '../../logging/logger.ts';
import type { Caller, CommandDeps } from '../command-deps.ts';
import { type CommandResult, failWith } from '../command-result.ts';
import type { CreateJobInput } from './create-job.ts';
import { checkDefinition } from './job-checks.ts';

const logger = createLogger('RequestTest');

/** Somebody waits for the answer, over a connection that proxies close when nothing comes. */
export const MAX_TEST_TIMEOUT_MS = 30_000;
/** Calls of tests that one instance has under way at once; they count towards no other limit. */
export const MAX_TESTS_AT_ONCE = 10;

/** What one call gave. */
export interface RequestTest {
  ok: boolean;
  responseStatus: number | null;
  /** Secrets masked. */
  responseHeaders: Record<string, string> | null;
  responseBody: string | null;
  failureReason: FailureReason | null;
  errorMessage: string | null;
  timings: AttemptTimings;
}

export interface RequestTestDeps extends Pick<CommandDeps, 'newId' | 'checkTarget'> {
  clock: Clock;
  /** Fills the templates and makes the call; never rejects for what the target does. */
  send: (
    request: OutgoingRequest,
    values: TemplateValues,
    timeoutMs: number,
  ) => Promise<{ outcome: AttemptOutcome; timings: AttemptTimings }>;
}

export type TestRequest = (by: Caller, input: CreateJobInput) => Promise<CommandResult<RequestTest>>;

/**
 * Makes the command that sends a job's request once, without a job: as an attempt would be sent, but for a callback,
 * which nobody would wait for. Of the input only what makes the request counts, so that it can be tried before the rest is
 * decided.
 */
export function createRequestTester(deps: RequestTestDeps): TestRequest {
  let underWay = 0;

  return async (by, input) => {
    const { draft, issues } = requestDraft(input);
    const checked = checkDefinition(deps, draft, issues);
    if (!checked.ok) return checked;
    if (underWay >= MAX_TESTS_AT_ONCE) {
      const message = `${MAX_TESTS_AT_ONCE} requests are being tested already; try again in a moment.`;
      return failWith({ kind: 'ConflictError', message, path: null });
    }
    underWay += 1;
    try {
      return { ok: true, value: await sendOnce(deps, by, checked.value) };
    } finally {
      underWay -= 1;
    }
  };
}

/** The fields of the request, and the defaults of all others. */
function requestDraft(input: CreateJobInput): ReturnType<typeof draftNewJob> {
  const { api, method, headers, body, timeoutMs, successStatuses } = input;
  const { draft, issues } = draftNewJob({ api, method, headers, body, timeoutMs, successStatuses });
  return { draft: { ...draft, name: SAMPLE_VALUES['job.name'] }, issues };
}

async function sendOnce(deps: RequestTestDeps, by: Caller, definition: JobDefinition): Promise<RequestTest> {
  const now = deps.clock.now();
  // Drawn anew each time: targets tell calls that they have seen already by it.
  const executionId = encodePublicId('Execution', deps.newId(now));
  const values = {
    ...SAMPLE_VALUES,
    'execution.id': executionId,
    'execution.scheduledAt': now.toISOString(),
  };
  const { api: url, method, headers, body, successStatuses } = definition;
  const request: OutgoingRequest = {
    executionId,
    jobId: SAMPLE_VALUES['job.id'],
    attempt: 1,
    scheduledAt: now,
    method,
    url,
    headers,
    body,
    successStatuses,
    // A second call to repair a broken connection would not be "once".
    atMostOnce: true,
  };
  const { outcome, timings } = await deps.send(
    request,
    values,
    Math.min(definition.timeoutMs, MAX_TEST_TIMEOUT_MS),
  );
  const test = { ...resultOf(outcome, successStatuses), timings };
  logger.info('Request tested', {
    actor: by.actor,
    requestId: by.requestId,
    method,
    url: maskUrl(url),
    ok: test.ok,
    responseStatus: test.responseStatus,
    failureReason: test.failureReason,
  });
  return test;
}

function resultOf(outcome: AttemptOutcome, successStatuses: readonly string[]): Omit<RequestTest, 'timings'> {
  const response = outcome.kind === 'responded' ? outcome : null;
  const verdict = classifyOutcome(outcome, { successStatuses, retryOn: [] });
  const failure = 'reason' in verdict ? verdict : null;
  return {
    ok: verdict.kind === 'success',
    responseStatus: response?.status ?? null,
    responseHeaders: response && maskHeaders(response.headers),
    responseBody: response?.body ?? null,
    failureReason: failure?.reason ?? null,
    errorMessage: verdict.kind === 'aborted' ? 'The scheduler is stopping.' : (failure?.message ?? null),
  };
}
