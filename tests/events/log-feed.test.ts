import { afterEach, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { encodeCursor } from '../../src/events/cursor.ts';
import { createFeeds, type Feeds } from '../../src/events/feeds.ts';
import { createEventHub, type EventHub } from '../../src/events/hub.ts';
import type { LogFeedItem } from '../../src/events/log-feed.ts';
import { readEventLogState } from '../../src/store/events/event-log.ts';
import type { Queryable, Statement } from '../../src/store/statements/sql.ts';
import { appendTestEvents } from '../support/events.ts';
import { START, plus } from '../support/manual-clock.ts';
import { insertExecution, insertJob } from '../support/rows.ts';
import { useScene } from '../support/scene.ts';
import { until } from '../support/until.ts';

const scene = useScene();
let hub: EventHub;
let feeds: Feeds;
beforeEach(() => {
  hub = createEventHub({ db: scene.pool, pollIntervalMs: 3_600_000, onError: () => undefined });
  feeds = createFeeds({ db: scene.pool, hub });
});
afterEach(() => hub.stop());

describe('the log of a finished execution', () => {
  it('is sent completely, in order, and then the feed ends', async () => {
    const id = await insertLogged('SUCCESS', 600);
    const items = await toEnd(await feeds.subscribeToLogs(id, null));
    expect(items).toHaveLength(600);
    expect(messagesOf(items)).toEqual(Array.from({ length: 600 }, (_, n) => `line ${n + 1}`));
    expect(items[0]).toMatchObject({
      type: 'log',
      log: { at: plus(START, 1), level: 'INFO', attempt: 1, metadata: { n: 1 } },
    });
  });

  it('continues after any of its cursors, each line once', async () => {
    const id = await insertLogged('FAILED', 5);
    const items = await toEnd(await feeds.subscribeToLogs(id, null));
    for (const [index, item] of items.entries()) {
      const rest = await toEnd(await feeds.subscribeToLogs(id, cursorOf(item)));
      expect(rest).toEqual(items.slice(index + 1));
    }
  });

  it.each(['SUCCESS', 'FAILED', 'CANCELLED', 'SKIPPED'] as const)(
    'ends at once when it is empty: %s',
    async (status) => {
      const id = await insertLogged(status, 0);
      expect(await toEnd(await feeds.subscribeToLogs(id, null))).toEqual([]);
    },
  );
});

describe('the log of an unfinished execution', () => {
  it('sends the existing lines, then line by line, until the execution is finished', async () => {
    const instance = scene.instance();
    scene.target.script('/flaky', [503, 503, 200]);
    const job = await insertJob(scene.pool, {
      api: `${scene.target.url}/flaky`,
      max_retries: 3,
      backoff_strategy: 'FIXED',
      initial_delay_ms: 1,
      max_delay_ms: 1,
      retry_jitter: 0,
      retry_on: ['5xx'],
      respect_retry_after: true,
    });
    const id = await insertExecution(scene.pool, job, 'PENDING');
    const attempt = async () => {
      await instance.work();
      scene.clock.advance(10);
      hub.wake();
    };
    await attempt();

    const feed = await feeds.subscribeToLogs(id, null);
    expect(await feed.next()).toMatchObject({ value: { log: { level: 'WARN', attempt: 1 } } });
    const second = feed.next();
    await attempt();
    const { value } = (await second) as { value: LogFeedItem };
    expect(value).toMatchObject({ type: 'log', log: { level: 'WARN', attempt: 2 } });
    await feed.return?.();

    const resumed = await feeds.subscribeToLogs(id, cursorOf(value));
    const rest = toEnd(resumed);
    await attempt();
    expect(await rest).toMatchObject([{ log: { level: 'INFO', attempt: 3 } }]);
  });

  it('ends for waiting readers when its execution is finished without a line', async () => {
    const id = await insertLogged('RUNNING', 0);
    const waiting = toEnd(await feeds.subscribeToLogs(id, null));
    await scene.pool.query(
      `UPDATE job_executions SET status = 'CANCELLED', lease_expires_at = NULL, finished_at = now() WHERE id = $1`,
      [id],
    );
    await appendTestEvents(scene.pool, 1, START, { kind: 'EXECUTION_CANCELLED', executionId: id });
    hub.wake();
    expect(await waiting).toEqual([]);
  });

  it('ignores events of other executions', async () => {
    const id = await insertLogged('RUNNING', 1);
    const other = await insertLogged('SUCCESS', 3);
    const feed = await feeds.subscribeToLogs(id, null);
    await feed.next();
    const waiting = feed.next();
    await appendTestEvents(scene.pool, 3, START, { executionId: other });
    hub.wake();
    await feed.return?.();
    expect(await waiting).toEqual({ done: true, value: undefined });
  });

  it('can be left while it waits', async () => {
    const feed = await feeds.subscribeToLogs(await insertLogged('RUNNING', 0), null);
    const waiting = feed.next();
    expect(await feed.return?.()).toEqual({ done: true, value: undefined });
    expect(await waiting).toEqual({ done: true, value: undefined });
  });
});

describe('a log feed with a cursor that it cannot read', () => {
  it.each(['garbage', '', encodeCursor({ epoch: 'another', position: 3n })])(
    'reports a gap, and sends the log from its beginning: %j',
    async (after) => {
      const id = await insertLogged('SUCCESS', 2);
      const [gap, ...lines] = await toEnd(await feeds.subscribeToLogs(id, after));
      const { epoch } = await readEventLogState(scene.pool);
      expect(gap).toEqual({
        type: 'gap',
        reason: 'CURSOR_INVALID',
        fromCursor: after,
        toCursor: encodeCursor({ epoch, position: 0n }),
      });
      expect(messagesOf(lines)).toEqual(['line 1', 'line 2']);
    },
  );
});

describe('a log feed with a cursor after the end of the log', () => {
  it('reports a gap, and sends the log from its beginning', async () => {
    const id = await insertLogged('SUCCESS', 2);
    const { epoch } = await readEventLogState(scene.pool);
    const { rows } = await scene.pool.query<{ last: bigint }>(
      'SELECT last_value AS last FROM event_log_position_seq',
    );
    const last = rows[0]?.last ?? 0n;
    // The newest line can be newer than every event.
    expect(await toEnd(await feeds.subscribeToLogs(id, encodeCursor({ epoch, position: last })))).toEqual([]);
    const future = encodeCursor({ epoch, position: last + 1n });
    const [gap, ...lines] = await toEnd(await feeds.subscribeToLogs(id, future));
    expect(gap).toMatchObject({ type: 'gap', reason: 'CURSOR_INVALID', fromCursor: future });
    expect(messagesOf(lines)).toEqual(['line 1', 'line 2']);
  });
});

describe('the log of an unknown execution', () => {
  it('ends at once', async () => {
    expect(await toEnd(await feeds.subscribeToLogs('00000000-0000-7000-8000-000000000000', null))).toEqual(
      [],
    );
  });

  it('ends also when the execution is pruned while a reader waits', async () => {
    const id = await insertLogged('RUNNING', 0);
    const waiting = toEnd(await feeds.subscribeToLogs(id, null));
    await scene.pool.query('DELETE FROM job_executions WHERE id = $1', [id]);
    await appendTestEvents(scene.pool, 1, START, { executionId: id });
    hub.wake();
    expect(await waiting).toEqual([]);
  });
});

describe('a log feed whose database goes away', () => {
  it('waits until it is back, and continues', async () => {
    const state = { isAway: false };
    const errors: unknown[] = [];
    const query = (statement: Statement) =>
      state.isAway ? Promise.reject(new Error('The database is away')) : scene.pool.query(statement);
    const db: Queryable = { query: query as Queryable['query'] };
    const ownHub = createEventHub({ db, pollIntervalMs: 10, onError: (error) => errors.push(error) });
    onTestFinished(ownHub.stop);
    const id = await insertLogged('SUCCESS', 1);
    const feed = await createFeeds({ db, hub: ownHub }).subscribeToLogs(id, null);
    state.isAway = true;
    const line = feed.next();
    await until(() => errors.length > 3);
    state.isAway = false;
    expect(await line).toMatchObject({ value: { log: { message: 'line 1' } } });
    expect(await feed.next()).toEqual({ done: true, value: undefined });
  });

  it('reports a gap, and sends the log again, when the restored database is another one', async () => {
    const id = await insertLogged('RUNNING', 2);
    const feed = await feeds.subscribeToLogs(id, null);
    const seen = [await feed.next(), await feed.next()];
    const next = feed.next();
    await scene.pool.query('UPDATE event_log_state SET epoch = gen_random_uuid()');
    hub.wake();
    const { epoch } = await readEventLogState(scene.pool);
    expect(await next).toEqual({
      done: false,
      value: {
        type: 'gap',
        reason: 'CURSOR_INVALID',
        fromCursor: cursorOf((seen[1] as { value: LogFeedItem }).value),
        toCursor: encodeCursor({ epoch, position: 0n }),
      },
    });
    expect(await feed.next()).toMatchObject({ value: { log: { message: 'line 1' } } });
    await feed.return?.();
  });
});

async function insertLogged(status: Parameters<typeof insertExecution>[2], lines: number): Promise<string> {
  const id = await insertExecution(scene.pool, await insertJob(scene.pool), status);
  await scene.pool.query(
    `INSERT INTO job_execution_logs (execution_id, position, at, level, message, attempt, metadata)
     SELECT $1, nextval('event_log_position_seq'), $2::timestamptz + n * interval '1 ms', 'INFO', 'line ' || n, 1,
       jsonb_build_object('n', n)
     FROM generate_series(1, $3::int) AS n`,
    [id, START, lines],
  );
  return id;
}

async function toEnd(feed: AsyncIterableIterator<LogFeedItem>): Promise<LogFeedItem[]> {
  const items: LogFeedItem[] = [];
  for await (const item of feed) items.push(item);
  return items;
}

function messagesOf(items: readonly LogFeedItem[]): string[] {
  return items.map((item) => (item.type === 'log' ? item.log.message : item.reason));
}

function cursorOf(item: LogFeedItem): string {
  return item.type === 'log' ? item.cursor : item.toCursor;
}
