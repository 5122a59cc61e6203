import { describe, expect, it } from 'vitest';
import { createLogChunks } from '../../src/events/log-chunks.ts';
import { readEvents } from '../../src/store/events/event-log.ts';
import type { Queryable } from '../../src/store/statements/sql.ts';
import { appendTestEvents } from '../support/events.ts';
import { useScene } from '../support/scene.ts';

const scene = useScene();

/** The log as chunks, and how often it was read. */
function chunksOf() {
  let reads = 0;
  const query = ((...args: Parameters<Queryable['query']>) => {
    reads += 1;
    return scene.pool.query(...args);
  }) as Queryable['query'];
  return { chunks: createLogChunks({ query }), reads: () => reads };
}

describe('the log in chunks', () => {
  it('returns every event after any position', async () => {
    await appendTestEvents(scene.pool, 700);
    const { chunks } = chunksOf();
    const all = (await readEvents(scene.pool, 0n, 10_000)).map(({ position }) => position);
    const tip = all.at(-1) ?? 0n;
    for (const start of [0n, 1n, 255n, 256n, 257n, 600n, all.at(-2) ?? 0n]) {
      const found: bigint[] = [];
      for (let position = start; ;) {
        const { events } = await chunks.behind(position, tip);
        found.push(...events.map((event) => event.position));
        if (events.length === 0) break;
        position = found.at(-1) ?? 0n;
      }
      expect(found).toEqual(all.filter((position) => position > start));
    }
  });

  it('reads each once for many callers, also at different positions', async () => {
    await appendTestEvents(scene.pool, 700);
    const { chunks, reads } = chunksOf();
    const found = await Promise.all(
      [256n, 257n, 300n, 400n].map((position) => chunks.behind(position, 700n)),
    );
    expect(found.every(({ events }) => events.length > 100)).toBe(true);
    await chunks.behind(500n, 700n);
    expect(reads()).toBe(1);
    chunks.forget();
    await chunks.behind(500n, 700n);
    expect(reads()).toBe(2);
  });

  it('returns chunks that were read and kept, and not those that are still being read', async () => {
    await appendTestEvents(scene.pool, 300);
    const { chunks } = chunksOf();
    const isAtHand = (position: bigint) => chunks.areAtHand(position, 300n);
    expect(isAtHand(5n)).toBe(false);
    const reading = chunks.behind(0n, 300n);
    expect(isAtHand(5n)).toBe(false);
    await reading;
    expect([5n, 255n, 256n].map(isAtHand)).toEqual([true, true, false]);
    chunks.forget();
    expect(isAtHand(5n)).toBe(false);
  });

  it('reads the end of the log again as soon as it grows', async () => {
    const { chunks, reads } = chunksOf();
    const tipAfter = async (count: number) => {
      await appendTestEvents(scene.pool, count);
      return (await readEvents(scene.pool, 0n, 10_000)).at(-1)?.position ?? 0n;
    };
    const tip = await tipAfter(3);
    expect((await chunks.behind(tip, tip)).events).toEqual([]);
    expect((await chunks.behind(tip - 1n, tip)).events).toHaveLength(1);
    expect(reads()).toBe(1);
    const further = await tipAfter(2);
    expect([chunks.areAtHand(tip, tip), chunks.areAtHand(tip, further)]).toEqual([true, false]);
    expect((await chunks.behind(tip, further)).events).toHaveLength(2);
    expect((await chunks.behind(tip, further)).events).toHaveLength(2);
    expect(reads()).toBe(2);
  });

  it('forgets a read that failed', async () => {
    let fails = true;
    const query = ((...args: Parameters<Queryable['query']>) =>
      fails ? Promise.reject(new Error('away')) : scene.pool.query(...args)) as Queryable['query'];
    const chunks = createLogChunks({ query });
    await expect(chunks.behind(0n, 1n)).rejects.toThrow('away');
    fails = false;
    await expect(chunks.behind(0n, 1n)).resolves.toMatchObject({ events: expect.any(Array) as unknown });
  });
});
