import { readExecutionLogs, type ExecutionLogLine } from '../store/execution-logs.ts';
import type { Queryable } from '../store/sql.ts';
import { decodeCursor, encodeCursor } from './cursor.ts';
import type { FeedGap } from './feed.ts';
import type { EventHub } from './hub.ts';
import type { StepSource } from './iterate.ts';

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
  { db, hub }: { db: Queryable; hub: EventHub },
  executionId: string,
  after: string | null,
): Promise<StepSource<LogFeedItem>> {
  // Opened before the first read: a line written between the two rings the bell.
  const bell = await hub.open({ filter: (event) => event.executionId === executionId });
  const epoch = await hub.epoch();
  const cursor = after === null ? null : decodeCursor(after);
  const isForeign = after !== null && cursor?.epoch !== epoch;
  let position = isForeign ? 0n : (cursor?.position ?? 0n);
  let gap: FeedGap | null = isForeign
    ? {
        type: 'gap',
        reason: 'CURSOR_INVALID',
        fromCursor: after,
        toCursor: encodeCursor({ epoch, position: 0n }),
      }
    : null;
  let finished = false;

  async function next(): Promise<readonly LogFeedItem[] | null> {
    if (gap) {
      const first = gap;
      gap = null;
      return [first];
    }
    for (;;) {
      if (finished) return null;
      const page = await readExecutionLogs(db, executionId, position, STEP_LIMIT);
      position = page.lines.at(-1)?.position ?? position;
      finished = (page.finished || !page.exists) && page.lines.length < STEP_LIMIT;
      if (page.lines.length > 0) {
        return page.lines.map((log) => ({
          type: 'log',
          cursor: encodeCursor({ epoch, position: log.position }),
          log,
        }));
      }
      if (!finished && (await bell.next()) === null) return null;
    }
  }

  return {
    next,
    position: () => (gap === null ? encodeCursor({ epoch, position }) : null),
    close: () => {
      bell.close();
    },
  };
}
