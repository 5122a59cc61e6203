import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { eventStreamResponse } from '../../../src/server/http/event-stream-result.ts';
import { EVENT_STREAM_PING_MS } from '../../../src/server/limits/limits.ts';

// Only what decides when a ping comes.
beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
});
afterEach(() => {
  vi.useRealTimers();
});

/** A subscription that tells nothing for as long as the test runs. */
function silentStream(position?: () => string | null) {
  let left = 0;
  const results = {
    next: () => new Promise<never>(() => undefined),
    return: () => {
      left += 1;
      return Promise.resolve({ done: true as const, value: undefined });
    },
    [Symbol.asyncIterator]() {
      return this;
    },
  };
  const { body } = eventStreamResponse(results, position ? { position } : {});
  const reader = (body as ReadableStream<Uint8Array>).getReader();
  const read = async () => new TextDecoder().decode((await reader.read()).value);
  return { reader, read, left: () => left };
}

describe('an event stream with nothing to tell', () => {
  it('says so from time to time, with the cursor up to which there was nothing', async () => {
    let position: string | null = 'a';
    const { read, reader } = silentStream(() => position);
    expect(await read()).toBe('retry: 1000\nid: a\n\n');
    for (const next of ['b', 'c']) {
      const reading = read();
      position = next;
      await vi.advanceTimersByTimeAsync(EVENT_STREAM_PING_MS);
      expect(await reading).toBe(`id: ${next}\n\n`);
    }
    const reading = read();
    position = null;
    await vi.advanceTimersByTimeAsync(EVENT_STREAM_PING_MS);
    expect(await reading).toBe(':\n\n');
    await reader.cancel();
  });

  it('says so once to a client that does not read, however long', async () => {
    const { read, reader } = silentStream();
    await read();
    const reading = read();
    await vi.advanceTimersByTimeAsync(10 * EVENT_STREAM_PING_MS);
    expect(await reading).toBe(':\n\n');
    expect(await read()).toBe(':\n\n');
    const last = read();
    await vi.advanceTimersByTimeAsync(EVENT_STREAM_PING_MS);
    expect(await last).toBe(':\n\n');
    await reader.cancel();
  });

  it('is silent once its client is gone', async () => {
    const { read, reader, left } = silentStream();
    await read();
    await reader.cancel();
    expect(left()).toBe(1);
    expect(vi.getTimerCount()).toBe(0);
  });
});
