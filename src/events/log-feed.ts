import { readLastPosition } from '../store/events/event-log.ts';
import { readExecutionLogs, type ExecutionLogLine } from '../store/executions/execution-logs.ts';
import type { Queryable } from '../store/statements/sql.ts';
import { decodeCursor, encodeCursor } from './cursor.ts';
import type { FeedGap, FeedItem } from './feed.ts';
import type { EventHub } from './hub.ts';
import { nextStep, stepsOf, type StepSource } from '../async/step-source.ts';
import type { RetryWhileAway } from './retry-while-away.ts';

export interface LogFeedLine {
  type: 'log';
  cursor: string;
  log: ExecutionLogLine;
}

export type LogFeedItem = LogFeedLine | FeedGap;

const STEP_LIMIT = 256;

/**
 * One execution's log lines: those that exist behind `after`, then live, until the execution is finished and its
 * last line was given. Lines are written in the same transactions as the events, so the events of the execution are
 * the bell that says when to read again.
 */
export async function openLogFeed(
  { db, hub, retryWhileAway }: { db: Queryable; hub: EventHub; retryWhileAway: RetryWhileAway },
  executionId: string,
  after: string | null,
): Promise<StepSource<LogFeedItem>> {
  // Opened before the first read: a line written between the two rings the bell.
  const bell = await hub.open({ filter: (event) => event.executionId === executionId });
  let epoch: string;
  let position: bigint;
  let gap: FeedGap | null;
  try {
    epoch = await hub.epoch();
    ({ position, gap } = await startingPoint(db, epoch, after));
  } catch (error) {
    bell.close();
    throw error;
  }
  let finished = false;

  async function next(): Promise<readonly LogFeedItem[] | null> {
    if (gap) {
      const first = gap;
      gap = null;
      return [first];
    }
    for (;;) {
      if (finished) return null;
      const page = await retryWhileAway(() => readExecutionLogs(db, executionId, position, STEP_LIMIT));
      position = page.lines.at(-1)?.position ?? position;
      finished = (page.finished || !page.exists) && page.lines.length < STEP_LIMIT;
      if (page.lines.length > 0) {
        return page.lines.map((log) => ({
          type: 'log',
          cursor: encodeCursor({ epoch, position: log.position }),
          log,
        }));
      }
      if (finished) return null;
      const rung = await nextStep(bell);
      if (rung === null) return null;
      const anotherLog = rung.find(isAnotherLog);
      if (anotherLog) return [beginAnew(anotherLog)];
    }
  }

  /** The database was restored or failed over: positions mean nothing any more, and neither does what was given. */
  function beginAnew({ toCursor }: FeedGap): FeedGap {
    const fromCursor = encodeCursor({ epoch, position });
    epoch = decodeCursor(toCursor)?.epoch ?? epoch;
    position = 0n;
    return invalid(fromCursor, epoch);
  }

  return {
    ...stepsOf(next),
    position: () => (gap === null ? encodeCursor({ epoch, position }) : null),
    close: () => {
      bell.close();
    },
  };
}

async function startingPoint(
  db: Queryable,
  epoch: string,
  after: string | null,
): Promise<{ position: bigint; gap: FeedGap | null }> {
  if (after === null) return { position: 0n, gap: null };
  const cursor = decodeCursor(after);
  if (cursor?.epoch !== epoch || cursor.position > (await readLastPosition(db)))
    return { position: 0n, gap: invalid(after, epoch) };
  return { position: cursor.position, gap: null };
}

function invalid(fromCursor: string, epoch: string): FeedGap {
  return {
    type: 'gap',
    reason: 'CURSOR_INVALID',
    fromCursor,
    toCursor: encodeCursor({ epoch, position: 0n }),
  };
}

function isAnotherLog(item: FeedItem): item is FeedGap {
  return item.type === 'gap' && item.reason === 'CURSOR_INVALID';
}
