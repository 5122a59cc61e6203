import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createLoop, extendLoop, type Loop } from '../../src/async/loop.ts';
import { createGate } from '../support/target-server.ts';

const REST_MS = 60_000;
const RETRY_MS = 1_000;

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'setImmediate', 'clearImmediate'] });
});
afterEach(() => {
  vi.useRealTimers();
});

describe('an extended loop', () => {
  it('runs its own step, and reports its due time as the loop beneath it does', async () => {
    const { loop, steps } = counting();
    const wakes: string[] = [];
    const extended = extendLoop<Loop & { more: () => string }>(loop, {
      more: () => 'more',
      wake() {
        wakes.push('woken');
        loop.wake();
      },
    });
    expect(extended.dueAtMs).toBeNull();
    extended.start();
    await passMs(0);
    expect(extended.dueAtMs).not.toBeNull();
    expect(extended.dueAtMs).toBe(loop.dueAtMs);
    extended.wake();
    await passMs(0);
    expect({ more: extended.more(), wakes, steps: steps() }).toEqual({
      more: 'more',
      wakes: ['woken'],
      steps: 2,
    });
    await extended.stop();
    expect(extended.dueAtMs).toBeNull();
  });
});

describe('a loop', () => {
  it('steps at once when started, and again after the wait that its step returned', async () => {
    const { loop, steps } = counting(() => 250);
    loop.start();
    await passMs(0);
    expect(steps()).toBe(1);
    await passMs(249);
    expect(steps()).toBe(1);
    await passMs(1);
    expect(steps()).toBe(2);
  });

  it('does nothing before it is started, even when woken', async () => {
    const { loop, steps } = counting();
    loop.wake();
    await passMs(REST_MS);
    expect(steps()).toBe(0);
  });

  it('steps at once when woken while it waits', async () => {
    const { loop, steps } = counting();
    loop.start();
    await passMs(10);
    loop.wake();
    await passMs(0);
    expect(steps()).toBe(2);
  });

  it('makes one step for many wake-ups at once', async () => {
    const { loop, steps } = counting();
    loop.start();
    await passMs(10);
    for (let n = 0; n < 1_000; n += 1) loop.wake();
    await passMs(1);
    expect(steps()).toBe(2);
  });

  it('steps once more after a step during which it was woken any number of times', async () => {
    const { loop, steps, open } = gated();
    loop.start();
    await passMs(0);
    for (let n = 0; n < 100; n += 1) loop.wake();
    expect(steps()).toBe(1);
    open();
    await passMs(1);
    expect(steps()).toBe(2);
    await passMs(10);
    expect(steps()).toBe(2);
  });

  it('starts no second step while one is running, from any caller', async () => {
    const { loop, steps, open } = gated();
    loop.start();
    await passMs(0);
    const once = loop.runOnce();
    loop.wake();
    await passMs(REST_MS);
    expect(steps()).toBe(1);
    open();
    await once;
  });

  it('reports a failed step, and retries after a while', async () => {
    const { loop, steps, errors } = counting((step) => {
      if (step === 1) throw new Error('The database is away.');
      return REST_MS;
    });
    loop.start();
    await passMs(RETRY_MS - 1);
    expect(steps()).toBe(1);
    expect(errors).toMatchObject([{ message: 'The database is away.' }]);
    await passMs(1);
    expect(steps()).toBe(2);
    expect(errors).toHaveLength(1);
  });

  it('waits after a failure also when it was woken during the step', async () => {
    const gate = createGate();
    let steps = 0;
    const loop = createLoop({
      name: 'test',
      retryMs: RETRY_MS,
      onError: () => undefined,
      step: async () => {
        steps += 1;
        await gate.opened;
        throw new Error('The database is away.');
      },
    });
    loop.start();
    await passMs(0);
    loop.wake();
    gate.open();
    await passMs(RETRY_MS - 1);
    expect(steps).toBe(1);
    await loop.stop();
  });

  it('waits no longer than a timer can when its step returns infinity', async () => {
    const { loop, steps } = counting(() => Infinity);
    loop.start();
    await passMs(10_000);
    expect(steps()).toBe(1);
  });

  it('keeps a wake-up during a step that a timer began before an earlier wake-up could', async () => {
    const { loop, steps, open } = gated({ step: 2, firstRestMs: 10 });
    // At the same moment, in this order: a wake-up, the end of the loop's wait, another wake-up.
    setTimeout(loop.wake, 10);
    loop.start();
    await passMs(0);
    setTimeout(loop.wake, 10);
    await passMs(20);
    expect(steps()).toBe(2);
    open();
    await passMs(1);
    expect(steps()).toBe(3);
    await loop.stop();
  });

  it('reports by its own clock since when a step has been due, or when the next is due', async () => {
    let nowMs = 100;
    let step = () => Promise.resolve(REST_MS);
    const loop = createLoop({
      name: 'test',
      step: () => step(),
      retryMs: RETRY_MS,
      onError: () => undefined,
      monotonicMs: () => nowMs,
    });
    expect(loop.dueAtMs).toBeNull();
    loop.start();
    expect(loop.dueAtMs).toBe(100);
    await passMs(0);
    expect(loop.dueAtMs).toBe(100 + REST_MS);

    nowMs = 200;
    step = () => Promise.reject(new Error('The database is away.'));
    loop.wake();
    nowMs = 300;
    await passMs(RETRY_MS);
    expect(loop.dueAtMs).toBe(200);

    step = () => Promise.resolve(Infinity);
    await passMs(RETRY_MS);
    expect(loop.dueAtMs).toBeGreaterThan(1e9);
    await loop.stop();
    expect(loop.dueAtMs).toBeNull();
  });
});

describe('stopping a loop', () => {
  it('waits for the running step and starts no other', async () => {
    const { loop, steps, open } = gated();
    loop.start();
    await passMs(0);
    let stopped = false;
    const stopping = loop.stop().then(() => (stopped = true));
    loop.wake();
    await passMs(REST_MS);
    expect(stopped).toBe(false);
    open();
    await stopping;
    await passMs(10 * REST_MS);
    expect(steps()).toBe(1);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('resolves also when the running step fails', async () => {
    const { loop } = counting(() => {
      throw new Error('The database is away.');
    });
    loop.start();
    await loop.stop();
    await passMs(RETRY_MS);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('drops a wake-up that has not led to a step yet', async () => {
    const { loop, steps } = counting();
    loop.start();
    await passMs(1);
    loop.wake();
    await loop.stop();
    await passMs(REST_MS);
    expect(steps()).toBe(1);
  });

  it('keeps a single sequence of steps, however often it is stopped and started', async () => {
    const { loop, steps } = counting(() => 100);
    for (let n = 0; n < 20; n += 1) {
      loop.start();
      loop.start();
      loop.wake();
      void loop.stop();
      void loop.stop();
    }
    loop.start();
    await passMs(50);
    const before = steps();
    await passMs(1_000);
    expect(steps()).toBe(before + 10);
    await loop.stop();
    expect(vi.getTimerCount()).toBe(0);
  });
});

describe('a step by hand', () => {
  it('runs without a started loop, and throws what the step throws', async () => {
    const { loop, steps, errors } = counting((step) => {
      if (step === 2) throw new Error('no');
      return REST_MS;
    });
    await loop.runOnce();
    await expect(loop.runOnce()).rejects.toThrow('no');
    expect(steps()).toBe(2);
    expect(errors).toEqual([]);
    expect(vi.getTimerCount()).toBe(0);
  });
});

function counting(step: (number: number) => number = () => REST_MS) {
  const errors: unknown[] = [];
  let steps = 0;
  const loop: Loop = createLoop({
    name: 'test',
    retryMs: RETRY_MS,
    onError: (error) => errors.push(error),
    // eslint-disable-next-line @typescript-eslint/require-await -- an exception of the step must become a rejection
    step: async () => {
      steps += 1;
      return step(steps);
    },
  });
  return { loop, steps: () => steps, errors };
}

/** One step, the first by default, ends when the test opens it. */
function gated({ step: gatedStep = 1, firstRestMs = REST_MS } = {}) {
  const gate = createGate();
  let steps = 0;
  const loop = createLoop({
    name: 'test',
    onError: () => undefined,
    step: async () => {
      steps += 1;
      if (steps === gatedStep) await gate.opened;
      return steps === 1 ? firstRestMs : REST_MS;
    },
  });
  return { loop, steps: () => steps, open: gate.open };
}

async function passMs(ms: number): Promise<void> {
  await vi.advanceTimersByTimeAsync(ms);
}
