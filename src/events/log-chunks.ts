import { readLog, type EventLogState, type EventRow } from '../store/event-log.ts';
import type { Queryable } from '../store/sql.ts';
import { createTurns } from '../turns.ts';

/** A piece of the log, and where the log stood when it was read. */
export interface LogChunk {
  state: EventLogState;
  events: readonly EventRow[];
}

/** Reads the log for those who have fallen behind the window in memory. */
export interface LogChunks {
  /** Whether the events behind a position are in memory, so that nothing is waited for. */
  areAtHand: (position: bigint) => boolean;
  /** The events behind a position, some hundred at most. */
  behind: (position: bigint) => Promise<LogChunk>;
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
 * and reads each once. What is kept is complete, and stays so: events are only ever added at the end. It may have been
 * pruned since, and is told nevertheless.
 */
export function createLogChunks(db: Queryable): LogChunks {
  const turns = createTurns(MAX_READS);
  const chunks = new Map<bigint, Promise<LogChunk>>();
  /** The chunks that have been read. */
  const known = new WeakSet<Promise<LogChunk>>();

  function read(start: bigint): Promise<LogChunk> {
    const kept = chunks.get(start);
    if (kept) return kept;
    const chunk = turns.take(() => readLog(db, start, Number(CHUNK_POSITIONS)));
    chunks.set(start, chunk);
    const drop = (): void => {
      if (chunks.get(start) === chunk) chunks.delete(start);
    };
    // Where the log ends within it, there may be more the next time.
    chunk.then(({ events }) => {
      known.add(chunk);
      if (events.length < CHUNK_POSITIONS) drop();
    }, drop);
    for (const oldest of chunks.keys()) {
      if (chunks.size <= MAX_CHUNKS) break;
      chunks.delete(oldest);
    }
    return chunk;
  }

  const startOf = (position: bigint): bigint => position - (position % CHUNK_POSITIONS);

  return {
    areAtHand(position) {
      const chunk = chunks.get(startOf(position));
      return chunk !== undefined && known.has(chunk);
    },
    async behind(position) {
      const { state, events } = await read(startOf(position));
      return { state, events: events.filter((event) => event.position > position) };
    },
    forget() {
      chunks.clear();
    },
  };
}
