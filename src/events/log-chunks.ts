import { readLog, type EventLogState } from '../store/events/event-log.ts';
import type { EventRow } from '../store/events/event-row.ts';
import type { Queryable } from '../store/statements/sql.ts';
import { createLimiter } from '../async/limiter.ts';

/** A piece of the log, and where the log stood when it was read. */
export interface LogChunk {
  state: EventLogState;
  events: readonly EventRow[];
}

/** Reads the log for those who have fallen behind the window in memory. */
export interface LogChunks {
  /** Whether the events behind a position, up to another, are in memory, so that nothing is waited for. */
  areAtHand: (position: bigint, upTo: bigint) => boolean;
  /** The events behind a position, some hundred at most; where the log ends, at least those up to another. */
  behind: (position: bigint, upTo: bigint) => Promise<LogChunk>;
  /** Drops what is kept. */
  forget: () => void;
}

const CHUNK_POSITIONS = 256n;
/**
 * Reads at once. The engine lives on the same connections: a thousand subscribers that come back after a break must not
 * take all of them.
 */
const MAX_READS = 4;
/** Chunks kept for those who come next: a crowd walks the log at about one pace. Some 150 KB each. */
const MAX_CHUNKS = 16;

/**
 * Cuts the log at fixed positions, so that a crowd of which everybody has come to another one still reads the same chunks,
 * and reads each once. What is kept stays true: events are only ever added at the end, and where the log ended within a chunk
 * it is asked how far the log went. It may have been pruned since, and is delivered nevertheless.
 */
export function createLogChunks(db: Queryable): LogChunks {
  const turns = createLimiter(MAX_READS);
  const chunks = new Map<bigint, Promise<LogChunk>>();
  /** What has been read of them. */
  const haveBeenRead = new WeakMap<Promise<LogChunk>, LogChunk>();

  function kept(start: bigint, upTo: bigint): Promise<LogChunk> | undefined {
    const chunk = chunks.get(start);
    const found = chunk && haveBeenRead.get(chunk);
    return found && !reachesTo(found, upTo) ? undefined : chunk;
  }

  function read(start: bigint, upTo: bigint): Promise<LogChunk> {
    const chunk = kept(start, upTo);
    if (chunk) return chunk;
    const reading = turns.take(() => readLog(db, start, Number(CHUNK_POSITIONS)));
    chunks.delete(start);
    chunks.set(start, reading);
    reading.then(
      (found) => haveBeenRead.set(reading, found),
      () => {
        if (chunks.get(start) === reading) chunks.delete(start);
      },
    );
    for (const oldest of chunks.keys()) {
      if (chunks.size <= MAX_CHUNKS) break;
      chunks.delete(oldest);
    }
    return reading;
  }

  const startOf = (position: bigint): bigint => position - (position % CHUNK_POSITIONS);

  return {
    areAtHand(position, upTo) {
      const chunk = kept(startOf(position), upTo);
      return chunk !== undefined && haveBeenRead.has(chunk);
    },
    async behind(position, upTo) {
      const { state, events } = await read(startOf(position), upTo);
      return { state, events: events.filter((event) => event.position > position) };
    },
    forget() {
      chunks.clear();
    },
  };
}

/** Whether it is complete, or the log went so far when it was read. */
function reachesTo({ events, state }: LogChunk, position: bigint): boolean {
  return events.length >= CHUNK_POSITIONS || state.tip >= position;
}
