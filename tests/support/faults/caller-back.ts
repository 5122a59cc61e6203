import { setTimeout as delay } from 'node:timers/promises';
import { decodePublicId } from '../../../src/domain/values/public-id.ts';
import { callbackUrlOf } from '../callbacks.ts';
import type { RecordedCall, ReplyParts } from '../target-server.ts';
import { until } from '../until.ts';

/** What a target got for one try to call back: a status, or how the connection failed. */
export type Answer = number | 'refused' | 'cut';

/** One attempt that was called back about, and all that came of it. */
export type Delivery = {
  /** A UUID, as the tables have it. */
  executionId: string;
  attempt: number;
  status: 'success' | 'failure';
  /** In the order of their arrival, over all tries. */
  answers: Answer[];
};

/** The far side of jobs with completion CALLBACK: says that it has begun, works, and calls back until it is heard. */
export type CallerBack = {
  reply: (call: RecordedCall) => ReplyParts;
  deliveries: readonly Delivery[];
  /** Resolves when every callback so far has had its answer. */
  idle: () => Promise<void>;
};

const ANSWER_WITHIN_MS = 300;
const WORK_WITHIN_MS = 2_000;
/** Longer than the lease of whoever makes the call: one that died is rescued before. */
const LONG_WORK_MS = 6_000;
const TRY_AGAIN_MS = 50;
/** Of so many executions one fails at first, one takes long, and one is called back about twice at once. */
const FAILS_EACH = 5;
const TAKES_LONG_EACH = 3;
const TWICE_EACH = 4;

/** @param servers those that are there now; a callback may come to any of them */
export function makeCallerBack(servers: () => readonly { url: string }[]): CallerBack {
  const deliveries: Delivery[] = [];
  let underWay = 0;
  let turns = 0;

  /** Tries one server after the other, until one says what became of it. */
  async function post(path: string, delivery: Delivery): Promise<void> {
    const { status, attempt, answers } = delivery;
    const body = JSON.stringify({ status, message: `Attempt ${attempt}.`, output: { attempt } });
    for (;;) {
      const candidates = servers();
      turns += 1;
      const answer = await tryOnce(`${candidates[turns % candidates.length]?.url ?? ''}${path}`, body);
      answers.push(answer);
      if (typeof answer === 'number' && answer < 500) return;
      await delay(TRY_AGAIN_MS);
    }
  }

  async function deliver(call: RecordedCall): Promise<void> {
    const executionId = decodePublicId('Execution', call.headers['x-execution-id'] ?? '') ?? '';
    const attempt = Number(call.headers['x-attempt']);
    const draw = drawOf(executionId);
    const isFailure = attempt === 1 && draw % FAILS_EACH === 0;
    const delivery: Delivery = {
      executionId,
      attempt,
      status: isFailure ? 'failure' : 'success',
      answers: [],
    };
    deliveries.push(delivery);
    await delay(draw % TAKES_LONG_EACH === 0 ? LONG_WORK_MS : (draw * 7) % WORK_WITHIN_MS);
    const path = new URL(callbackUrlOf(call)).pathname;
    const times = draw % TWICE_EACH === 0 ? 2 : 1;
    await Promise.all(Array.from({ length: times }, () => post(path, delivery)));
  }

  return {
    deliveries,
    reply(call) {
      underWay += 1;
      void deliver(call).finally(() => {
        underWay -= 1;
      });
      return { status: 202, after: delay(drawOf(call.headers['x-execution-id'] ?? '') % ANSWER_WITHIN_MS) };
    },
    async idle() {
      await until(() => underWay === 0, { timeoutMs: 30_000, what: 'all callbacks have their answers' });
    },
  };
}

async function tryOnce(url: string, body: string): Promise<Answer> {
  try {
    const headers = { 'content-type': 'application/json' };
    const response = await fetch(url, { method: 'POST', headers, body });
    await response.arrayBuffer();
    return response.status;
  } catch (error) {
    const cause = error instanceof Error && error.cause instanceof Error ? error.cause : null;
    return cause && 'code' in cause && cause.code === 'ECONNREFUSED' ? 'refused' : 'cut';
  }
}

/** A number that differs from one execution to the next, and is the same each time. */
function drawOf(executionId: string): number {
  return Buffer.from(executionId).reduce((sum, byte) => (sum * 31 + byte) % 10_007, 7);
}
