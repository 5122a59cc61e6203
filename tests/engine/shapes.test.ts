import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { keptRequest } from '../../src/domain/request/kept-request.ts';
import { runExecution, type RunDeps } from '../../src/engine/running/run-execution.ts';
import type { Sender, SentAttempt } from '../../src/http/send-attempt.ts';
import { StopSignal } from '../../src/http/stop-signal.ts';
import {
  claimedOf,
  type ClaimedExecution,
  type ClaimedRow,
} from '../../src/store/executions/claimed-rows.ts';
import type { Settlement } from '../../src/store/executions/settling.ts';
import { newSender, request, unhurried } from '../http/sending.ts';
import { START } from '../support/manual-clock.ts';
import { shapesOf } from '../support/shapes.ts';
import { startTarget, type TargetServer } from '../support/target-server.ts';

let target: TargetServer;
let sender: Sender;

beforeAll(async () => {
  target = await startTarget();
  sender = newSender();
});
afterAll(async () => {
  sender.close();
  await target.close();
});

const MANY = 60;

async function times<T>(make: (index: number) => T | Promise<T>): Promise<T[]> {
  const made: T[] = [];
  for (let index = 0; index < MANY; index += 1) made.push(await make(index));
  return made;
}

function claimed(index: number): ClaimedExecution {
  const row: ClaimedRow = {
    id: `0195509c-9c00-7abc-8def-${String(index).padStart(12, '0')}`,
    jobId: '0195509c-9c00-7abc-8def-0123456789ab',
    trigger: 'SCHEDULE',
    scheduledAt: START,
    startedAt: START,
    attemptStartedAt: START,
    attemptCount: 1,
    retryCount: 0,
    rescueCount: 0,
    claimSeq: 1,
    host: 'a.test',
    jobName: 'a job',
    jobType: 'ATLEAST_ONCE',
    api: `${target.url}/a`,
    method: 'POST',
    headers: { 'x-a': 'b' },
    body: { index },
    timeoutMs: 10_000,
    successStatuses: ['2xx'],
    completion: 'RESPONSE',
    completionTimeoutMs: 1_000,
    upstream: null,
    maxRetries: null,
    backoffStrategy: null,
    initialDelayMs: null,
    maxDelayMs: null,
    retryJitter: null,
    retryOn: [],
    respectRetryAfter: null,
  };
  return claimedOf(row);
}

async function settlementOf(execution: ClaimedExecution): Promise<Settlement> {
  const settled: Settlement[] = [];
  const settler: RunDeps['settler'] = {
    settle: (settlement) => {
      settled.push(settlement);
      return Promise.resolve(true);
    },
    awaitCallback: () => Promise.resolve('lost'),
    idle: () => Promise.resolve(),
    giveUp: () => undefined,
    isFull: () => false,
  };
  const deps: RunDeps = {
    sender,
    settler,
    clock: { now: () => START },
    random: () => 0,
    callbackUrl: () => '',
  };
  const status = await runExecution(execution, deps, new StopSignal(), {
    onCallEnded: () => undefined,
    onInstanceFault: () => undefined,
  });
  const [settlement] = settled;
  if (status !== 'SUCCESS' || !settlement) throw new Error(`The call ended as ${status}`);
  return settlement;
}

/** Objects that exist thousands of times a second. */
describe('objects of each execution have one shape', () => {
  it('claims', async () => {
    expect(shapesOf(await times(claimed))).toBe(1);
  });

  it('attempts', async () => {
    const attempts = await times<SentAttempt>(() => sender.sendAttempt(request(target.url), unhurried()));
    expect(shapesOf(attempts)).toBe(1);
    expect(shapesOf(attempts.map(({ timings }) => timings))).toBe(1);
    expect(shapesOf(attempts.map((attempt) => attempt.request))).toBe(1);
    expect(shapesOf(attempts.map((attempt) => keptRequest(attempt.request).headers))).toBe(1);
  });

  it('settlements', async () => {
    const settlements = await times((index) => settlementOf(claimed(index)));
    expect(shapesOf(settlements)).toBe(1);
    expect(shapesOf(settlements.map(({ log }) => log))).toBe(1);
  });
});
