import { randomUUID } from 'node:crypto';
import { expect, it } from 'vitest';
import type { ExecutionStatus } from '../../src/domain/execution/execution.ts';
import { encodePublicId } from '../../src/domain/values/public-id.ts';
import { slotExecutionId } from '../../src/domain/schedule/slot-id.ts';
import type { EventRow } from '../../src/store/events/event-row.ts';
import { historyViolations } from './history.ts';
import type { History, HistoryExecution, HistoryJob } from './history/read.ts';
import { plus, START } from './manual-clock.ts';
import { interruptionsIn } from './history/replay.ts';
import type { RecordedCall } from './target-server.ts';

type RenderedEvent = { history: History; calls: RecordedCall[] };
type Outcome = {
  kind: string;
  status: ExecutionStatus;
  responseStatus?: number;
  seen: boolean;
  tookMs: number;
  /** No call was made, and it is no attempt. */
  isUncalled?: boolean;
};

const SUCCEEDED: Outcome = {
  kind: 'EXECUTION_SUCCEEDED',
  status: 'SUCCESS',
  responseStatus: 200,
  seen: true,
  tookMs: 5,
};
const RETRIED: Outcome = {
  kind: 'EXECUTION_RETRY_SCHEDULED',
  status: 'RETRYING',
  responseStatus: 503,
  seen: true,
  tookMs: 5,
};
const FAILED: Outcome = {
  kind: 'EXECUTION_FAILED',
  status: 'FAILED',
  responseStatus: 503,
  seen: true,
  tookMs: 5,
};
const LOST_BEFORE_THE_CALL: Outcome = {
  kind: 'EXECUTION_INTERRUPTED',
  status: 'PENDING',
  seen: false,
  tookMs: 2_000,
};
const GIVEN_BACK: Outcome = { ...LOST_BEFORE_THE_CALL, isUncalled: true };
const LOST_AFTER_THE_CALL: Outcome = { ...LOST_BEFORE_THE_CALL, seen: true };

const JOB: HistoryJob = {
  id: randomUUID(),
  status: 'ACTIVE',
  type: 'ATLEAST_ONCE',
  schedule: '* * * * * *',
  timezone: 'UTC',
  runAt: null,
  startAt: null,
  endAt: null,
  createdAt: START,
  dstGapPolicy: 'SHIFT',
  dstOverlapPolicy: 'FIRST',
  nextRunAt: plus(START, 5_000),
  retryPolicy: {
    maxRetries: 1,
    backoffStrategy: 'FIXED',
    initialDelayMs: 1_000,
    maxDelayMs: 60_000,
    jitter: 0.5,
    retryOn: ['5xx'],
    respectRetryAfter: true,
  },
};
const RETRY_WAIT_MS = 500;

/** Four slots: one that goes well, one that is retried, one that fails, and one whose instance dies twice. */
function soundHistory(): RenderedEvent {
  const told: RenderedEvent = {
    history: { jobs: [{ ...JOB }], executions: [], attempts: [], events: [] },
    calls: [],
  };
  tell(told, 1, [SUCCEEDED]);
  tell(told, 2, [RETRIED, SUCCEEDED]);
  tell(told, 3, [RETRIED, FAILED]);
  tell(told, 4, [LOST_BEFORE_THE_CALL, LOST_AFTER_THE_CALL, SUCCEEDED]);
  return told;
}

function tell({ history, calls }: RenderedEvent, second: number, outcomes: readonly Outcome[]): void {
  const scheduledAt = plus(START, second * 1_000);
  const execution: HistoryExecution = {
    id: slotExecutionId(JOB.id, scheduledAt),
    jobId: JOB.id,
    status: 'PENDING',
    trigger: 'SCHEDULE',
    scheduledAt,
    startedAt: null,
    finishedAt: null,
    durationMs: null,
    latenessMs: null,
    attemptCount: 0,
    slotCount: 1,
    failureReason: null,
    responseStatus: null,
    errorMessage: null,
    isDeadLetter: false,
  };
  history.executions.push(execution);
  let at = scheduledAt;
  let previousStatus: ExecutionStatus | null = null;
  const say = (kind: string, status: ExecutionStatus) => {
    execution.status = status;
    const attempt = execution.attemptCount === 0 ? null : execution.attemptCount;
    const position = BigInt(history.events.length + 1);
    const { id: executionId, ...facts } = execution;
    const event = {
      ...facts,
      executionId,
      position,
      at,
      kind,
      status,
      previousStatus,
      attempt,
      instanceId: 'one',
    };
    history.events.push(event as unknown as EventRow);
    previousStatus = status;
  };
  say('EXECUTION_PLANNED', 'PENDING');
  for (const { kind, status, responseStatus = null, seen, tookMs, isUncalled = false } of outcomes) {
    execution.attemptCount += 1;
    const { startedAt } = execution;
    execution.startedAt ??= at;
    say('EXECUTION_STARTED', 'RUNNING');
    if (isUncalled) {
      at = plus(at, tookMs);
      execution.attemptCount -= 1;
      execution.startedAt = startedAt;
      say(kind, status);
      continue;
    }
    const number = execution.attemptCount;
    history.attempts.push({
      executionId: execution.id,
      number,
      startedAt: at,
      instanceId: 'one',
      responseStatus,
    });
    if (seen) calls.push(callOf(execution, at));
    at = plus(at, tookMs);
    execution.responseStatus = responseStatus;
    if (status === 'SUCCESS' || status === 'FAILED') execution.finishedAt = at;
    execution.failureReason = status === 'FAILED' ? 'HTTP_STATUS' : null;
    execution.isDeadLetter = status === 'FAILED';
    say(kind, status);
    if (status === 'RETRYING') at = plus(at, RETRY_WAIT_MS);
  }
}

function callOf({ id, jobId, scheduledAt, attemptCount }: HistoryExecution, at: Date): RecordedCall {
  const executionId = encodePublicId('Execution', id);
  const headers = {
    'x-execution-id': executionId,
    'x-job-id': encodePublicId('Job', jobId),
    'x-attempt': String(attemptCount),
    'idempotency-key': executionId,
    ...(scheduledAt && { 'x-scheduled-at': scheduledAt.toISOString() }),
  };
  return { method: 'GET', path: '/', query: '', headers, body: '', at };
}

function violationsOf({ history, calls }: RenderedEvent): string[] {
  return historyViolations(history, calls);
}

/** The n-th thing, which is there. */
function nth<T>(things: readonly T[], index: number): T {
  const thing = things.at(index);
  if (thing === undefined) throw new Error(`There is no ${index}`);
  return thing;
}

it('finds nothing wrong with retries, failures, and calls repeated after a death', () => {
  expect(violationsOf(soundHistory())).toEqual([]);
});

it('finds nothing wrong with claims that are given back without a call, and counts no attempt for them', () => {
  const told = soundHistory();
  nth(told.history.jobs, 0).nextRunAt = plus(START, 6_000);
  tell(told, 5, [GIVEN_BACK, RETRIED, GIVEN_BACK, GIVEN_BACK, SUCCEEDED]);
  expect(violationsOf(told)).toEqual([]);
  expect(nth(told.history.executions, 4).attemptCount).toBe(2);
  const eventsOf = (index: number) =>
    told.history.events.filter(({ executionId }) => executionId === nth(told.history.executions, index).id);
  expect([interruptionsIn(eventsOf(4)), interruptionsIn(eventsOf(3))]).toEqual([0, 2]);
});

it('takes recorded ranges for the slots that they stand for', () => {
  const told: RenderedEvent = {
    history: { jobs: [{ ...JOB }], executions: [], attempts: [], events: [] },
    calls: [],
  };
  tell(told, 1, []);
  tell(told, 4, [SUCCEEDED]);
  const [skipped, caughtUp] = told.history.executions;
  Object.assign(nth(told.history.events, 0), {
    kind: 'EXECUTION_SKIPPED',
    status: 'SKIPPED',
    finishedAt: START,
  });
  Object.assign(skipped ?? {}, { status: 'SKIPPED', slotCount: 3, finishedAt: START });
  Object.assign(caughtUp ?? {}, { trigger: 'CATCH_UP', slotCount: 4 });
  expect(violationsOf(told)).toEqual([]);
});

it.each<[what: string, spoil: (told: RenderedEvent) => void, violation: RegExp]>([
  [
    'a slot without an execution',
    ({ history }) => (nth(history.jobs, 0).nextRunAt = plus(START, 6_000)),
    /slot .*05\.000Z was dealt with 0 times/,
  ],
  [
    'a slot with two executions',
    (told) => {
      tell(told, 1, [SUCCEEDED]);
    },
    /slot .*01\.000Z was dealt with 2 times/,
  ],
  [
    'an execution of a moment that is no slot',
    (told) => {
      tell(told, 1.5, [SUCCEEDED]);
    },
    /which is no slot of job/,
  ],
  [
    'a range that stands for a slot which was run as well',
    ({ history }) => Object.assign(nth(history.executions, 2), { status: 'SKIPPED', slotCount: 2 }),
    /slot .*04\.000Z was dealt with 2 times/,
  ],
  [
    'an execution that stands for slots of which nothing is said',
    ({ history }) => (nth(history.executions, 3).slotCount = 2),
    /stands for 2 slots, but those before it are not recorded/,
  ],
  [
    'an id that is not that of its slot',
    ({ history }) => (nth(history.executions, 0).scheduledAt = plus(START, 2_000)),
    /its id is not that of its slot/,
  ],
  [
    'an execution that has not ended',
    (told) => {
      nth(told.history.jobs, 0).nextRunAt = plus(START, 6_000);
      tell(told, 5, [LOST_AFTER_THE_CALL]);
    },
    /has not ended, it is PENDING/,
  ],
  ['a hole in the attempts', ({ history }) => history.attempts.splice(1, 1), /has attempts 2, not 1 to 2/],
  [
    'an attempt on another instance than told',
    ({ history }) => (nth(history.attempts, 0).instanceId = 'two'),
    /or on another instance/,
  ],
  [
    'a retry that came too early',
    ({ history }) => {
      const start = history.events.findIndex(({ kind }) => kind === 'EXECUTION_RETRY_SCHEDULED') + 1;
      nth(history.events, start).at = nth(history.attempts, 2).startedAt = plus(
        nth(history.events, start).at,
        -1,
      );
    },
    /retry 1 came after 499 ms, not 500/,
  ],
  [
    'one retry too many',
    ({ history }) => (nth(history.jobs, 0).retryPolicy = null),
    /retry 1 is one too many/,
  ],
  [
    'a failure without dead letter',
    ({ history }) => (nth(history.executions, 2).isDeadLetter = false),
    /no dead letter/,
  ],
  [
    'a step that is not allowed',
    ({ history }) => (nth(history.events, 1).kind = 'EXECUTION_UNBLOCKED'),
    /EXECUTION_UNBLOCKED at 2 moves it from PENDING to RUNNING/,
  ],
  [
    'a step from a state that it was not in',
    ({ history }) => (nth(history.events, 2).previousStatus = 'RETRYING'),
    /moves it from RETRYING to SUCCESS; it was RUNNING/,
  ],
  ['a lost event', ({ history }) => history.events.splice(1, 1), /the log knows 0 attempts, the table 1/],
  [
    'a log that ends elsewhere',
    ({ history }) => (nth(history.executions, 0).status = 'CANCELLED'),
    /the log ends at SUCCESS, the table at CANCELLED/,
  ],
  [
    'an end that the log tells otherwise',
    ({ history }) => (nth(history.executions, 0).responseStatus = 201),
    /responseStatus is 201, the log says 200/,
  ],
  [
    'a call of what is said to have been given back without one',
    (told) => {
      nth(told.history.jobs, 0).nextRunAt = plus(START, 6_000);
      tell(told, 5, [GIVEN_BACK, SUCCEEDED]);
      told.calls.push(nth(told.calls, -1));
    },
    /attempt 1 was called more than once/,
  ],
  [
    'a start of what was given back without a call',
    (told) => {
      nth(told.history.jobs, 0).nextRunAt = plus(START, 6_000);
      tell(told, 5, [GIVEN_BACK, SUCCEEDED]);
      const givenBack = told.history.events.findLast(({ kind }) => kind === 'EXECUTION_INTERRUPTED');
      if (givenBack) givenBack.startedAt = START;
    },
    /tells of a start that there was not/,
  ],
  [
    'an attempt of what is said to have been given back without a call',
    ({ history }) => (nth(history.events, -3).attempt = 1),
    /is of attempt 3, not 2/,
  ],
  ['events out of order', ({ history }) => history.events.reverse(), /position \d+ follows \d+/],
  [
    'an execution that only the log knows',
    ({ history }) => history.executions.pop(),
    /the tables do not have it/,
  ],
  [
    'an answer to a call that was never made',
    ({ calls }) => calls.pop(),
    /attempt 3 got 200 for a call that the target never saw/,
  ],
  ['a call made twice', ({ calls }) => calls.push(nth(calls, 0)), /attempt 1 was called more than once/],
  [
    'a call of an attempt that there was not',
    ({ history, calls }) => calls.push(callOf({ ...nth(history.executions, 0), attemptCount: 2 }, START)),
    /attempt 2 of 1 was called/,
  ],
  [
    'a call that bears another job',
    ({ history, calls }) =>
      (calls[0] = callOf({ ...nth(history.executions, 0), jobId: randomUUID() }, START)),
    /headers of something else/,
  ],
  [
    'a call of an execution that nobody knows',
    ({ history, calls }) => calls.push(callOf({ ...nth(history.executions, 0), id: randomUUID() }, START)),
    /nobody knows it/,
  ],
  [
    'a call without a name',
    ({ calls }) => calls.push({ ...nth(calls, 0), headers: {} }),
    /1 calls bore no execution id/,
  ],
  [
    'a repeat of what may run at most once',
    ({ history }) => (nth(history.jobs, 0).type = 'ATMOST_ONCE'),
    /at most once, but called 2 times/,
  ],
])('finds %s', (_, spoil, violation) => {
  const told = soundHistory();
  spoil(told);
  expect(violationsOf(told)).toContainEqual(expect.stringMatching(violation));
});
