import { performance } from 'node:perf_hooks';
import type { Clock } from '../../domain/values/clock.ts';
import type { Pool } from 'pg';
import type { Queryable } from '../statements/sql.ts';

/** The database's clock, followed without asking it each time. */
export interface DatabaseClock extends Clock {
  /** Asks the database for its time. Rejects when it cannot be reached; the clock then goes on as before. */
  refresh: () => Promise<void>;
  /**
   * How many milliseconds ago a refresh found that the database's clock had been set forward, as where its machine has slept;
   * Infinity where none has. Others may find out later. Of several times in ten minutes the first one counts: who gives others
   * time would give it without end.
   */
  sinceSetForwardMs: () => number;
}

/**
 * A clock that shows the database's time: an offset to this machine's monotonic clock, measured with each refresh
 * and corrected by half the round trip. A wall clock that jumps on this machine changes nothing.
 *
 * It never runs backwards by a refresh's small error; a real step of the database's clock is followed.
 *
 * @throws what the first query throws: without a first answer there is no time to show
 */
export async function createDatabaseClock(pool: Pick<Pool, 'connect'>): Promise<DatabaseClock> {
  let offsetMs = await measure(pool);
  let lastShownMs = 0;
  let setForwardAtMs = -Infinity;

  return {
    async refresh() {
      const measuredMs = await measure(pool);
      const nowMs = performance.now();
      const isSetForward = measuredMs - offsetMs >= MAX_ERROR_MS;
      if (isSetForward && nowMs - setForwardAtMs > SERIES_MS) setForwardAtMs = nowMs;
      offsetMs = measuredMs;
    },
    sinceSetForwardMs: () => performance.now() - setForwardAtMs,
    now() {
      const readMs = performance.now() + offsetMs;
      const isSmallStepBack = readMs < lastShownMs && lastShownMs - readMs < MAX_ERROR_MS;
      lastShownMs = isSmallStepBack ? lastShownMs : readMs;
      return new Date(lastShownMs);
    },
  };
}

/** The quickest of a few answers counts: one that had to wait may have waited on one way only. */
const QUESTIONS = 3;
/** An answer as quick as this leaves an error of half a millisecond at most, and needs no other. */
const QUICK_MS = 1;

/**
 * Answers the offset of the database's clock to this machine's monotonic one. It has its connection before it asks: a wait for
 * one would count as the way to the database, and the clock run ahead by half of it.
 */
async function measure(pool: Pick<Pool, 'connect'>): Promise<number> {
  const client = await pool.connect();
  try {
    const offsetMs = await quickestOffset(client);
    client.release();
    return offsetMs;
  } catch (error) {
    client.release(true);
    throw error;
  }
}

async function quickestOffset(db: Queryable): Promise<number> {
  let best = await ask(db);
  for (let question = 1; question < QUESTIONS && best.roundTripMs > QUICK_MS; question += 1) {
    const answer = await ask(db);
    if (answer.roundTripMs < best.roundTripMs) best = answer;
  }
  return best.offsetMs;
}

async function ask(db: Queryable): Promise<{ offsetMs: number; roundTripMs: number }> {
  const askedMs = performance.now();
  const { rows } = await db.query<{ nowMs: number }>({
    name: 'database-clock',
    text: `SELECT extract(epoch FROM clock_timestamp())::float8 * 1000 AS "nowMs"`,
  });
  const answeredMs = performance.now();
  const [row] = rows;
  if (!row) throw new Error('The database did not tell its time');
  return { offsetMs: row.nowMs - (askedMs + answeredMs) / 2, roundTripMs: answeredMs - askedMs };
}

/** Within this after the first time, further ones at which the clock was set forward are of the same series. */
const SERIES_MS = 600_000;

/** A refresh's error is bounded by a round trip; anything larger is the database's clock itself being set. */
const MAX_ERROR_MS = 1_000;
