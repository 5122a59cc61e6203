import { performance } from 'node:perf_hooks';
import type { Clock } from '../../domain/values/clock.ts';
import type { Pool } from 'pg';
import type { Queryable } from '../statements/sql.ts';

/** Shows the database's time without a query each time. */
export interface DatabaseClock extends Clock {
  /** Asks the database for its time. Rejects when the database is unreachable; the clock then continues as before. */
  refresh: () => Promise<void>;
  /**
   * How many milliseconds ago a refresh found that the database's clock was set forward, for example after its
   * machine slept; Infinity when it never was. Other instances may notice later. If it happens several times in ten
   * minutes, the first time counts, so a grace for other instances ends.
   */
  sinceSetForwardMs: () => number;
}

/**
 * A clock that shows the database's time: an offset to this machine's monotonic clock, measured with each refresh
 * and corrected by half the round trip. A wall clock that jumps on this machine changes nothing.
 *
 * A refresh's small error never moves it backwards. It follows a real step of the database's clock.
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

/**
 * How many questions a measurement asks; the quickest answer counts. A slow answer may have waited in one direction
 * only.
 */
const QUESTIONS = 3;
/** The error of such a quick answer is half a millisecond at most, so no further question is needed. */
const QUICK_MS = 1;

/**
 * Returns the offset of the database's clock to this machine's monotonic clock. It gets its connection before it
 * asks. Otherwise the wait for a connection would count as round trip, and the clock would be ahead by half of it.
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

/** Steps forward within this time after the first belong to the same series. */
const SERIES_MS = 600_000;

/** A refresh's error is at most a round trip. A larger difference means that the database's clock was set. */
const MAX_ERROR_MS = 1_000;
