import fc from 'fast-check';
import pg from 'pg';
import { afterEach, beforeEach, describe, expect, inject, it, onTestFinished, vi } from 'vitest';
import { createPool } from '../../src/database/pool.ts';
import { encodeCursor } from '../../src/events/cursor.ts';
import type { FeedItem, FeedOptions } from '../../src/events/feed.ts';
import { createFeeds } from '../../src/events/feeds.ts';
import { createEventHub, type EventHub, type HubOptions } from '../../src/events/hub.ts';
import { pruneEvents, readEventLogState, readEvents } from '../../src/store/events/event-log.ts';
import type { Queryable, Statement } from '../../src/store/statements/sql.ts';
import { appendTestEvents } from '../support/events.ts';
import { createGate } from '../support/target-server.ts';
import { START, plus } from '../support/manual-clock.ts';
import { insertJob } from '../support/rows.ts';
import { useScene } from '../support/scene.ts';
import { insertJobTags } from '../support/tags.ts';
import { until } from '../support/until.ts';

const scene = useScene();
const HOUR_MS = 3_600_000;
const everything: FeedOptions = { filter: () => true };

let hubs: EventHub[] = [];
beforeEach(() => {
  hubs = [];
});
afterEach(async () => {
  await Promise.all(hubs.map((hub) => hub.stop()));
});

describe('a subscription without `after`', () => {
  it('starts now: with the first event after its opening', async () => {
    const { subscribe, append } = hubOf();
    await append(3);
    const feed = await subscribe(everything);
    await append(2, 'new');
    expect(await take(feed, 2)).toEqual(['new 0', 'new 1']);
  });

  it('misses no event that is appended before its first `next`', async () => {
    const { subscribe, append } = hubOf();
    const feed = await subscribe(everything);
    await append(5);
    await append(5);
    expect(await take(feed, 10)).toHaveLength(10);
  });

  it('returns the events that match its filter', async () => {
    const { subscribe, append } = hubOf();
    const feed = await subscribe({ filter: (event) => event.errorMessage?.endsWith('3') ?? false });
    await append(10, 'a');
    await append(10, 'b');
    expect(await take(feed, 2)).toEqual(['a 3', 'b 3']);
  });
});

describe('a hub whose process has work of higher priority', () => {
  it('waits between the turns of its subscribers, and still sends them everything', async () => {
    const rests = vi.spyOn(globalThis, 'setTimeout');
    const realNow = performance.now.bind(performance);
    let laterMs = 0;
    const clock = vi.spyOn(performance, 'now').mockImplementation(() => realNow() + laterMs);
    onTestFinished(() => {
      rests.mockRestore();
      clock.mockRestore();
    });
    let isPressed = true;
    const { subscribe, append } = hubOf({ isPressed: () => isPressed });
    const feed = await subscribe(everything);
    const tell = async (events: number) => {
      await append(events);
      expect(await take(feed, events)).toHaveLength(events);
    };
    /** Waits are as long as the turns were, in fractions of a millisecond. No other timer has such a duration. */
    const rested = async (): Promise<boolean> => {
      rests.mockClear();
      await tell(1);
      await tell(1);
      return rests.mock.calls.some(([, ms]) => ms !== undefined && !Number.isInteger(ms));
    };
    expect(await rested()).toBe(false);
    await tell(250);
    // By now the first results no longer affect the count per fifth of a second.
    laterMs += 600;
    expect(await rested()).toBe(true);
    isPressed = false;
    expect(await rested()).toBe(false);
  });
});

describe('a subscription with `after`', () => {
  it('continues after its cursor, which any instance may have written', async () => {
    const one = hubOf();
    const other = hubOf();
    const first = await one.subscribe(everything);
    await one.append(4);
    const items = await takeItems(first, 4);
    await first.return?.();
    for (const [index, item] of items.entries()) {
      const feed = await other.subscribe({ ...everything, after: cursorOf(item) });
      expect(await take(feed, 3 - index)).toEqual(['0', '1', '2', '3'].slice(index + 1));
      await feed.return?.();
    }
  });

  it('gets no gap when the cursor is at the very end', async () => {
    const { subscribe, append } = hubOf();
    await append(2);
    const { epoch, tip } = await readEventLogState(scene.pool);
    const feed = await subscribe({ ...everything, after: encodeCursor({ epoch, position: tip }) });
    await append(1, 'next');
    expect(await take(feed, 1)).toEqual(['next 0']);
  });

  it('gets a gap when its events were pruned, and continues at the end of the gap', async () => {
    const { subscribe, append } = hubOf();
    await append(3);
    const { epoch } = await readEventLogState(scene.pool);
    await pruneEvents(scene.pool, plus(START, 1), 2);
    const after = encodeCursor({ epoch, position: 0n });
    const feed = await subscribe({ ...everything, after });
    await append(1, 'next');
    const [gap, next] = await takeItems(feed, 2);
    expect(gap).toMatchObject({ type: 'gap', reason: 'CURSOR_EXPIRED', fromCursor: after });
    expect(messageOf(next)).toBe('next 0');

    const resumed = await subscribe({ ...everything, after: cursorOf(gap) });
    expect(await take(resumed, 1)).toEqual(['next 0']);
  });

  it('gets no gap when it has seen exactly the pruned events', async () => {
    const { subscribe, append } = hubOf();
    await append(3);
    const { epoch } = await readEventLogState(scene.pool);
    await pruneEvents(scene.pool, plus(START, 1), 2);
    const { prunedThrough } = await readEventLogState(scene.pool);
    const feed = await subscribe({ ...everything, after: encodeCursor({ epoch, position: prunedThrough }) });
    expect(await take(feed, 1)).toEqual(['2']);
  });

  it.each([
    ['is no cursor at all', () => 'garbage'],
    ['is empty', () => ''],
    ['is a megabyte long', () => 'x'.repeat(2 ** 20)],
    ['is of another epoch', (tip: bigint) => encodeCursor({ epoch: 'another', position: tip })],
    ['lies in the future', (tip: bigint, epoch: string) => encodeCursor({ epoch, position: tip + 1n })],
  ])('gets a gap when the cursor %s', async (_what, cursorFor) => {
    const { subscribe, append } = hubOf();
    await append(2);
    const { tip, epoch } = await readEventLogState(scene.pool);
    const after = cursorFor(tip, epoch);
    const feed = await subscribe({ ...everything, after });
    await append(1, 'next');
    const [gap, next] = await takeItems(feed, 2);
    expect(gap).toEqual({
      type: 'gap',
      reason: 'CURSOR_INVALID',
      fromCursor: after,
      toCursor: encodeCursor({ epoch, position: tip }),
    });
    expect(messageOf(next)).toBe('next 0');
  });

  it('returns each event exactly once when it is cut and resumed anywhere, while others write', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.record({
          cuts: fc.array(fc.integer({ min: 1, max: 25 }), { minLength: 3, maxLength: 12 }),
          windowCapacity: fc.integer({ min: 1, max: 60 }),
          modulus: fc.integer({ min: 1, max: 4 }),
          hubs: fc.integer({ min: 1, max: 2 }),
        }),
        checkResuming,
      ),
      { numRuns: 12 },
    );
  });
});

async function checkResuming(shape: {
  cuts: readonly number[];
  windowCapacity: number;
  modulus: number;
  hubs: number;
}): Promise<void> {
  const parts = Array.from({ length: shape.hubs }, () => hubOf({ windowCapacity: shape.windowCapacity }));
  const filter: FeedOptions['filter'] = ({ position, kind }) =>
    position % BigInt(shape.modulus) === 0n || kind === 'JOB_DELETED';
  const { epoch, tip } = await readEventLogState(scene.pool);
  let cursor = encodeCursor({ epoch, position: tip });
  const writing = writeAtOnce(3, 15);

  const seen: bigint[] = [];
  for (let cut = 0, isAtEnd = false; !isAtEnd; cut += 1) {
    const { subscribe } = parts[cut % parts.length] ?? hubOf();
    const feed = await subscribe({ filter, after: cursor });
    const wanted = shape.cuts[cut % shape.cuts.length] ?? 1;
    for (let n = 0; n < wanted && !isAtEnd; n += 1) {
      const { value } = (await feed.next()) as { value: FeedItem };
      if (value.type === 'gap') throw new Error(`A gap: ${value.reason}`);
      cursor = value.cursor;
      seen.push(value.event.position);
      isAtEnd = value.event.kind === 'JOB_DELETED';
    }
    await feed.return?.();
  }
  await writing;
  const log = (await readEvents(scene.pool, tip, 10_000)).filter((event) => filter(event, []));
  expect(seen).toEqual(log.map((event) => event.position));
  await Promise.all(parts.map(({ hub }) => hub.stop()));
}

/** Several writers, and one last event when all have finished. */
async function writeAtOnce(writers: number, rounds: number): Promise<void> {
  await Promise.all(
    Array.from({ length: writers }, async (_, writer) => {
      for (let round = 0; round < rounds; round += 1) {
        await appendTestEvents(scene.pool, 1 + ((writer * 7 + round) % 5));
        wakeAll();
      }
    }),
  );
  await appendTestEvents(scene.pool, 1, START, { kind: 'JOB_DELETED' });
  wakeAll();
}

describe('a subscription with tags', () => {
  const withTag: FeedOptions = {
    filter: (event, tags) => event.kind === 'EXECUTION_PLANNED' && tags.includes('x'),
    usesTags: true,
  };

  it('gets the tags at the time of each event, also when it reads behind the window', async () => {
    const { subscribe } = hubOf({ windowCapacity: 4 });
    const [jobId, other] = [await insertJob(scene.pool), await insertJob(scene.pool)];
    await insertJobTags(scene.pool, other, ['x']);
    await subscribe(everything);
    const [slow, fast] = [await subscribe(withTag), await subscribe(withTag)];
    const expected: string[] = [];
    for (let round = 0; round < 40; round += 1) {
      const had = round % 3 === 1;
      await appendTestEvents(scene.pool, 1, START, { jobId, errorMessage: `${round}` });
      if (had) expected.push(`${round}`);
      const tags = { previousTags: had ? ['x'] : [], tags: round % 3 === 0 ? ['x'] : [] };
      await appendTestEvents(scene.pool, 1, START, { kind: 'JOB_UPDATED', jobId, data: tags });
      wakeAll();
      if (had) expect(await take(fast, 1)).toEqual([`${round}`]);
    }
    expect(await take(slow, expected.length)).toEqual(expected);
    await appendTestEvents(scene.pool, 1, START, { jobId: other, errorMessage: 'other' });
    wakeAll();
    expect([await take(slow, 1), await take(fast, 1)]).toEqual([['other'], ['other']]);
  });

  it('gets the tags of the new log when the log has been replaced', async () => {
    const { subscribe } = hubOf();
    const jobId = await insertJob(scene.pool);
    const feed = await subscribe(withTag);
    await appendTestEvents(scene.pool, 3);
    await restoreOlderLog();
    await insertJobTags(scene.pool, jobId, ['x']);
    await appendTestEvents(scene.pool, 1);
    wakeAll();
    expect(await takeItems(feed, 1)).toMatchObject([{ type: 'gap', reason: 'CURSOR_INVALID' }]);
    await appendTestEvents(scene.pool, 1, START, { jobId, errorMessage: 'new' });
    wakeAll();
    expect(await take(feed, 1)).toEqual(['new']);
  });
});

describe('a subscriber that does not read', () => {
  it('gets everything from the log later, and slows no other meanwhile', async () => {
    const { subscribe, append } = hubOf({ windowCapacity: 8 });
    const slow = await subscribe(everything);
    const fast = await subscribe(everything);
    for (let round = 0; round < 10; round += 1) {
      await append(20, `${round}`);
      expect(await take(fast, 20)).toHaveLength(20);
    }
    const late = await take(slow, 200);
    expect(new Set(late).size).toBe(200);
    expect([late[0], late.at(-1)]).toEqual(['0 0', '9 19']);
  });

  it('gets a gap when its unread events were pruned meanwhile', async () => {
    const { subscribe, append } = hubOf({ windowCapacity: 4 });
    const [slow, fast] = [await subscribe(everything), await subscribe(everything)];
    const cursor = await openCursor();
    await append(40);
    expect(await take(fast, 40)).toHaveLength(40);
    await pruneEvents(scene.pool, plus(START, 1), 20);
    await append(1, 'next');
    expect(await take(fast, 1)).toEqual(['next 0']);
    const [gap] = await takeItems(slow, 1);
    expect(gap).toMatchObject({ type: 'gap', reason: 'CURSOR_EXPIRED', fromCursor: cursor });
    await append(1, 'last');
    expect(await take(slow, 1)).toEqual(['last 0']);
  });
});

describe('while no subscriber keeps up', () => {
  /** A subscriber that has read nothing of twelve events, with a window of eight. */
  async function farBehind(): Promise<Parts & { slow: AsyncIterableIterator<FeedItem> }> {
    const parts = hubOf({ windowCapacity: 8 });
    const slow = await parts.subscribe(everything);
    expect(await parts.asked(() => parts.append(12, 'first'))).toEqual(['read-log']);
    return { ...parts, slow };
  }

  it('the hub reads no events that no subscriber would find in the window, and each subscriber still gets all', async () => {
    const { slow, append, asked } = await farBehind();
    expect(await asked(() => append(20, 'then'))).toEqual(['event-log-state']);
    expect(await asked(() => append(300, 'and'))).toEqual(['event-log-state']);
    expect(await take(slow, 332)).toEqual([
      ...numbered('first', 12),
      ...numbered('then', 20),
      ...numbered('and', 300),
    ]);
    expect(await asked(() => append(1, 'at last'))).toEqual(['read-log']);
    expect(await take(slow, 1)).toEqual(['at last 0']);
  });

  it('the hub reads all as soon as a subscriber starts at the tip', async () => {
    const { slow, append, asked, subscribe } = await farBehind();
    await asked(() => append(1, 'then'));
    const fast = await subscribe(everything);
    expect(await asked(() => append(1, 'and'))).toEqual(['read-log']);
    expect(await take(fast, 1)).toEqual(['and 0']);
    expect(await take(slow, 14)).toEqual([...numbered('first', 12), 'then 0', 'and 0']);
  });

  it('the hub reads all for filters with tags, which get the tags at the time of each event', async () => {
    const { slow, append, asked, subscribe } = await farBehind();
    await asked(() => append(1, 'then'));
    const jobId = await insertJob(scene.pool);
    await insertJobTags(scene.pool, jobId, ['x']);
    const tagged = await subscribe({ filter: (_event, tags) => tags.includes('x'), usesTags: true });
    const tell = (message: string, tags?: object) =>
      asked(async () => {
        await appendTestEvents(scene.pool, 20, START, { jobId, errorMessage: message });
        if (tags) await appendTestEvents(scene.pool, 1, START, { kind: 'JOB_UPDATED', jobId, data: tags });
        wakeAll();
      });
    expect(await tell('with', { previousTags: ['x'], tags: [] })).toEqual(['read-log']);
    expect(await tell('without', { previousTags: [], tags: ['x'] })).toEqual(['read-log']);
    expect(await tell('again')).toEqual(['read-log']);
    const told = await take(tagged, 41);
    expect(told.filter((message) => message === 'with')).toHaveLength(20);
    expect(told.at(-1)).toBe('again');
    expect(told).not.toContain('without');
    expect(await take(slow, 13)).toEqual([...numbered('first', 12), 'then 0']);
  });

  it('a subscriber that reads on in the window finds the rest there', async () => {
    const { subscribe, append, asked, statements } = hubOf({ windowCapacity: 300 });
    const feed = await subscribe(everything);
    await asked(() => append(400));
    expect(await take(feed, 1)).toEqual(['0']);
    expect(await asked(() => append(10))).toEqual(['read-log']);
    const before = statements.length;
    expect(await take(feed, 409)).toHaveLength(409);
    expect(statements).toHaveLength(before);
  });

  it('a subscriber whose step came from the window continues after it', async () => {
    const { subscribe, append, asked } = hubOf({ windowCapacity: 300 });
    const feed = await subscribe(everything);
    await asked(() => append(700));
    // A step of 256 with one matching event.
    expect(await take(feed, 1)).toEqual(['0']);
    expect(await asked(() => append(10))).toEqual(['event-log-state']);
    expect(await take(feed, 709)).toEqual([
      ...Array.from({ length: 699 }, (_, n) => `${n + 1}`),
      ...Array.from({ length: 10 }, (_, n) => `${n}`),
    ]);
  });

  it('a subscriber gets a gap when unread events were pruned', async () => {
    const { slow, append, asked } = await farBehind();
    const cursor = await openCursor();
    await asked(() => append(20));
    await pruneEvents(scene.pool, plus(START, 1), 25);
    await asked(() => append(1));
    const [gap] = await takeItems(slow, 1);
    expect(gap).toMatchObject({ type: 'gap', reason: 'CURSOR_EXPIRED' });
    expect(cursorOf(gap) > cursor).toBe(true);
    expect(await asked(() => append(1, 'next'))).toEqual(['read-log']);
    expect(await take(slow, 1)).toEqual(['next 0']);
  });

  it('a subscriber gets a gap for another log that no subscriber has read', async () => {
    const { slow, append, asked } = await farBehind();
    expect(await asked(() => append(10))).toEqual(['event-log-state']);
    await restoreOlderLog();
    await asked(() => append(2));
    expect(await takeItems(slow, 1)).toMatchObject([{ type: 'gap', reason: 'CURSOR_INVALID' }]);
    await append(1, 'next');
    expect(await take(slow, 1)).toEqual(['next 0']);
  });

  it('a subscriber misses nothing when the database is away', async () => {
    const { slow, hub, append, asked, errors } = await farBehind();
    await asked(() => append(10, 'then'));
    const back = await takeDatabaseAway(hub);
    await until(() => errors.length > 0);
    const next = take(slow, 23);
    await append(1, 'meanwhile');
    await back();
    expect(await next).toEqual([...numbered('first', 12), ...numbered('then', 10), 'meanwhile 0']);
  });
});

describe('leaving a subscription', () => {
  it('resolves at once while `next` waits, and ends that call too', async () => {
    const { subscribe } = hubOf();
    const feed = await subscribe(everything);
    const waiting = feed.next();
    expect(await feed.return?.()).toEqual({ done: true, value: undefined });
    expect(await waiting).toEqual({ done: true, value: undefined });
    expect(await feed.next()).toEqual({ done: true, value: undefined });
  });

  it('stops the reads: without subscribers the hub does not read the log', async () => {
    const { subscribe, hub, statements, append } = hubOf();
    const feeds = [await subscribe(everything), await subscribe(everything)];
    void feeds[0]?.next();
    for (const feed of feeds) await feed.return?.();
    const before = statements.length;
    await append(3);
    hub.wake();
    await readEventLogState(scene.pool);
    expect(statements).toHaveLength(before);
  });

  it('happens to all when the hub stops, which then accepts no more', async () => {
    const { subscribe, hub } = hubOf();
    const feed = await subscribe(everything);
    const waiting = feed.next();
    await hub.stop();
    expect(await waiting).toMatchObject({ done: true });
    await expect(subscribe(everything)).rejects.toThrow('stopped');
  });
});

describe('without a wake-up', () => {
  it('the hub polls the log when the poll interval is over', async () => {
    const { subscribe } = hubOf({ pollIntervalMs: 5 });
    const feed = await subscribe(everything);
    await appendTestEvents(scene.pool, 2);
    expect(await take(feed, 2)).toEqual(['0', '1']);
  });
});

describe('while the database is away', () => {
  it('a subscription waits, and continues without loss when the database is back', async () => {
    const { subscribe, append, errors, hub } = hubOf({ pollIntervalMs: 20, windowCapacity: 4 });
    const waiting = await subscribe(everything);
    const behind = await subscribe(everything);
    await append(30, 'before');
    expect(await take(waiting, 30)).toHaveLength(30);

    const back = await takeDatabaseAway(hub);
    await until(() => errors.length > 0);
    await appendTestEvents(scene.pool, 5, START, { instanceId: 'meanwhile' });
    const next = Promise.all([take(waiting, 5), take(behind, 35)]);
    await back();
    const [live, late] = await next;
    expect(live).toEqual(['0', '1', '2', '3', '4']);
    expect(late).toHaveLength(35);
  });

  it('a subscription whose read fails while a poll of the log is running is woken by the next poll', async () => {
    const [look, nextLook] = [createGate(), createGate()];
    const toMeet: (() => Promise<void>)[] = [];
    const { subscribe, append, hub, statements } = hubOf({ windowCapacity: 4 }, async (_statement, send) => {
      await toMeet.shift()?.();
      return send();
    });
    const [slow, fast] = [await subscribe(everything), await subscribe(everything)];
    // A subscriber that keeps up reads nothing that the other could use.
    for (let n = 0; n < 25; n += 1) {
      await append(2);
      expect(await take(fast, 2)).toHaveLength(2);
    }
    const before = statements.length;
    toMeet.push(
      () => look.opened,
      () => Promise.reject(new Error('Connection terminated unexpectedly')),
      () => nextLook.opened,
    );
    hub.wake();
    const late = take(slow, 50);
    await until(() => statements.length === before + 2);
    look.open();
    await until(() => statements.length === before + 3);
    await readEventLogState(scene.pool);
    // The first poll was sent before the failure. It does not show whether the log can be read.
    expect(statements).toHaveLength(before + 3);
    nextLook.open();
    expect(await late).toHaveLength(50);
  });

  it('a new subscription is refused, because its start is unknown', async () => {
    const { subscribe, hub } = hubOf();
    const back = await takeDatabaseAway(hub);
    await expect(subscribe(everything)).rejects.toThrow();
    await back();
    await subscribe(everything);
  });

  it('idle connections that break are replaced without an error', async () => {
    const { subscribe, append } = hubOf({ pollIntervalMs: 20 });
    const feed = await subscribe(everything);
    for (let round = 0; round < 3; round += 1) {
      await terminateHub();
      await append(2);
      expect(await take(feed, 2)).toEqual(['0', '1']);
    }
  });
});

describe('when the log has been replaced', () => {
  it('a subscription gets a gap, and continues in the new log', async () => {
    const { subscribe, append, hub } = hubOf();
    const feed = await subscribe(everything);
    await append(3);
    const items = await takeItems(feed, 3);

    // The positions of the new log are below the old ones, as after a failover that lost commits. No query fails
    // meanwhile.
    await restoreOlderLog();
    await appendTestEvents(scene.pool, 1);
    hub.wake();
    const [gap] = await takeItems(feed, 1);
    const { epoch } = await readEventLogState(scene.pool);
    expect(gap).toMatchObject({ type: 'gap', reason: 'CURSOR_INVALID', fromCursor: cursorOf(items[2]) });
    await append(2, 'new');
    const next = await takeItems(feed, 2);
    expect(next.map(messageOf)).toEqual(['new 0', 'new 1']);
    expect(
      next
        .map(cursorOf)
        .every((cursor) => cursor.startsWith(encodeCursor({ epoch, position: 0n }).slice(0, 8))),
    ).toBe(true);
    expect(await hub.epoch()).toBe(epoch);
  });

  it('a subscription that reads behind the window gets a gap too, without a poll of the log since', async () => {
    const { subscribe, append } = hubOf({ windowCapacity: 4 });
    const slow = await subscribe(everything);
    const fast = await subscribe(everything);
    // A subscriber that keeps up reads nothing that the other could use.
    for (let n = 0; n < 25; n += 1) {
      await append(2);
      expect(await take(fast, 2)).toHaveLength(2);
    }
    await restoreOlderLog();
    await appendTestEvents(scene.pool, 20);
    expect(await takeItems(slow, 1)).toMatchObject([{ type: 'gap', reason: 'CURSOR_INVALID' }]);
  });

  it('an instance that never saw the old log refuses an old cursor', async () => {
    const { subscribe, append } = hubOf();
    const feed = await subscribe(everything);
    await append(1);
    const [item] = await takeItems(feed, 1);
    await restoreOlderLog();
    const fresh = await hubOf().subscribe({ ...everything, after: cursorOf(item) });
    expect(await takeItems(fresh, 1)).toMatchObject([{ type: 'gap', reason: 'CURSOR_INVALID' }]);
  });
});

type Parts = {
  hub: EventHub;
  subscribe: (options: FeedOptions) => Promise<AsyncIterableIterator<FeedItem>>;
  /** Appends this many events, named by their number after `name`, and wakes all hubs of the test. */
  append: (events: number, name?: string) => Promise<void>;
  statements: string[];
  /**
   * The statements that the hub sends because of an action, until all are answered. For use while no subscriber reads.
   */
  asked: (because: () => Promise<void>) => Promise<string[]>;
  errors: unknown[];
};

/** Replaces the execution of a statement. */
type Detour = (statement: Statement, send: () => Promise<unknown>) => Promise<unknown>;

const HUB = 'hub under test';

/** A hub with its own pool. By default it polls so rarely that only wake-ups count. */
function hubOf(options: Partial<HubOptions> = {}, detour: Detour = (_statement, send) => send()): Parts {
  const pool = createPool({ connectionString: scene.connectionString, max: 3, applicationName: HUB });
  const statements: string[] = [];
  const errors: unknown[] = [];
  let unanswered = 0;
  const query = (statement: Statement) => {
    statements.push(statement.name ?? '');
    unanswered += 1;
    return detour(statement, () => pool.query(statement)).finally(() => (unanswered -= 1));
  };
  const db: Queryable = { query: query as Queryable['query'] };
  const hub = createEventHub({
    db,
    pollIntervalMs: HOUR_MS,
    onError: (error) => errors.push(error),
    ...options,
  });
  hubs.push({ ...hub, stop: () => hub.stop().then(() => (pool.ended ? undefined : pool.end())) });
  return {
    hub,
    subscribe: createFeeds({ db, hub }).subscribe,
    async append(events, name) {
      await appendNamed(events, name);
      wakeAll();
    },
    statements,
    async asked(because) {
      const before = statements.length;
      await because();
      await until(() => statements.length > before && unanswered === 0);
      return statements.slice(before);
    },
    errors,
  };
}

function wakeAll(): void {
  for (const hub of hubs) hub.wake();
}

async function appendNamed(events: number, name?: string): Promise<void> {
  if (name === undefined) await appendTestEvents(scene.pool, events);
  else
    for (let n = 0; n < events; n += 1)
      await appendTestEvents(scene.pool, 1, START, { errorMessage: `${name} ${n}` });
}

function numbered(name: string, events: number): string[] {
  return Array.from({ length: events }, (_, n) => `${name} ${n}`);
}

async function takeItems(feed: AsyncIterator<FeedItem>, items: number): Promise<FeedItem[]> {
  const taken: FeedItem[] = [];
  while (taken.length < items) {
    const next = await feed.next();
    if (next.done) throw new Error(`The feed ended after ${taken.length} items`);
    taken.push(next.value);
  }
  return taken;
}

async function take(feed: AsyncIterator<FeedItem>, events: number): Promise<unknown[]> {
  return (await takeItems(feed, events)).map(messageOf);
}

function messageOf(item: FeedItem | undefined): unknown {
  if (item?.type !== 'event') throw new Error(`No event: ${JSON.stringify(item)}`);
  return item.event.errorMessage;
}

function cursorOf(item: FeedItem | undefined): string {
  if (!item) throw new Error('No item');
  return item.type === 'event' ? item.cursor : item.toCursor;
}

async function openCursor(): Promise<string> {
  const { epoch, tip } = await readEventLogState(scene.pool);
  return encodeCursor({ epoch, position: tip });
}

/** Allows no new connections and ends those of the hub. The test's own stay. */
async function takeDatabaseAway(hub: EventHub): Promise<() => Promise<void>> {
  await allowConnections(false);
  await terminateHub();
  hub.wake();
  return () => allowConnections(true);
}

/** From another database: a database cannot block connections to itself. */
async function allowConnections(allow: boolean): Promise<void> {
  const admin = new pg.Client({ connectionString: inject('adminConnectionString') });
  await admin.connect();
  const name = new URL(scene.connectionString).pathname.slice(1);
  await admin.query(`ALTER DATABASE ${name} ALLOW_CONNECTIONS ${allow}`);
  await admin.end();
}

async function terminateHub(): Promise<void> {
  await scene.pool.query(
    'SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = $1',
    [HUB],
  );
}

/** The state after a restore of an older dump: the table is another one, and positions are assigned again. */
async function restoreOlderLog(): Promise<void> {
  await scene.pool.query(`
    CREATE TABLE restored (LIKE event_log INCLUDING ALL);
    ALTER SEQUENCE event_log_position_seq OWNED BY NONE;
    DROP TABLE event_log;
    ALTER TABLE restored RENAME TO event_log;
    SELECT setval('event_log_position_seq', 1, false)`);
}
