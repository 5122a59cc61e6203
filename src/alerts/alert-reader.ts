import type { Pool } from 'pg';
import type { Clock } from '../domain/values/clock.ts';
import { createLogger } from '../logging/logger.ts';
import { createLoop, extendLoop, type Loop } from '../async/loop.ts';
import {
  isAnyAlertEnabled,
  lockReader,
  lockWatchingAlerts,
  moveReader,
  readWatchedEvents,
  saveAlertStates,
  type WatchedEvent,
} from '../store/alerts/alert-reading.ts';
import {
  findOverdue,
  forgetLateMarks,
  insertLateMarks,
  nextLateAt,
  readLateMarks,
  type LateMark,
} from '../store/executions/late-executions.ts';
import { inTransaction, type Queryable } from '../store/statements/sql.ts';
import { evaluateEvents, evaluateOverdue, type AlertReport } from './evaluate.ts';
import { writeReports } from './write-reports.ts';

const logger = createLogger('Alerts');

export interface AlertReaderOptions {
  pool: Pool;
  clock: Clock;
  newId: (now: Date) => string;
  /** The longest time between two looks when nobody wakes it. */
  longestRestMs: number;
  maxPerMinute: number;
  /** Called after new deliveries were written. */
  onDeliveries: () => void;
  onError: (error: unknown) => void;
}

/** Reads the event log and writes the deliveries that alerts ask for. */
export interface AlertReader extends Loop {
  /**
   * Says that the log has probably grown. The reader looks soon if it knows of an enabled alert, and does nothing
   * otherwise.
   */
  noteEvents: () => void;
}

/**
 * How many events one transaction reads. This keeps up with any writer and holds the reader's row only for
 * milliseconds.
 */
const BATCH = 1_000;
/** The wait when another instance holds the reader's row. After it, one of both reads the newer events. */
const BUSY_MS = 1_000;
/** The wait between a new event and the look at the log. On a busy system one look reads many events. */
const GATHER_MS = 200;

/**
 * The time between two looks at executions that have not started. With a long backlog a look takes some milliseconds.
 */
const OVERDUE_LOOK_MS = 1_000;

/** The result of one look at the log. */
interface Pass {
  /** Deliveries written. */
  added: number;
  /** In how many milliseconds to look again. */
  restMs: number;
}

/**
 * Reads the event log in the order of commits. Its position is a row of the database. One transaction reads a batch,
 * writes its deliveries, and moves the position. So each event counts once, also when an instance dies or several
 * instances read.
 *
 * While no alert is enabled, it reads no events, and it looks for alerts only when it is woken. The first alert then
 * finds a position far behind and skips to its own creation. So it tells of no earlier event.
 */
export function createAlertReader(options: AlertReaderOptions): AlertReader {
  const { pool, clock, longestRestMs, onDeliveries, onError } = options;
  let isWatching = false;
  let overdueLookAt = new Date(0);
  let gathering: NodeJS.Timeout | undefined;

  async function step(): Promise<number> {
    isWatching ||= await isAnyAlertEnabled(pool);
    if (!isWatching) return longestRestMs;
    const { added, restMs } = await inTransaction(pool, readOn);
    if (added > 0) {
      logger.info('Alerts to be sent', { deliveries: added });
      onDeliveries();
    }
    return Math.min(restMs, longestRestMs);
  }

  async function readOn(tx: Queryable): Promise<Pass> {
    const place = await lockReader(tx);
    if (place === null) return { added: 0, restMs: BUSY_MS };
    isWatching = place.since !== null;
    if (place.since === null) return { added: 0, restMs: longestRestMs };
    const now = clock.now();
    const from = place.since > place.position ? place.since : place.position;
    const { events, through, isFull } = await readWatchedEvents(tx, from, BATCH);
    const alerts = await lockWatchingAlerts(tx, [...new Set(events.map(({ jobId }) => jobId))]);
    const late = await readLateMarks(tx, idsOf(events, isStart));
    const { reports, changed } = evaluateEvents(events, alerts, late);
    await insertLateMarks(tx, reports.filter(({ event, isKept }) => event === 'LATE' && isKept).map(markOf));
    await forgetLateMarks(
      tx,
      idsOf(events, (event) => !isStart(event)),
    );
    await saveAlertStates(tx, changed);
    const added = await writeReports(tx, reports, options, now);
    if (through !== null) await moveReader(tx, through);
    if (isFull) return { added, restMs: 0 };
    if (!place.watchesLate) return { added, restMs: longestRestMs };
    if (now < overdueLookAt) return { added, restMs: overdueLookAt.getTime() - now.getTime() };
    overdueLookAt = new Date(now.getTime() + OVERDUE_LOOK_MS);
    const overdue = await reportOverdue(tx, now);
    return { added: added + overdue.added, restMs: overdue.restMs };
  }

  /** Reports executions that have not started in time. No event can report them in time. */
  async function reportOverdue(tx: Queryable, now: Date): Promise<Pass> {
    const lateAt = await nextLateAt(tx);
    if (lateAt === null) return { added: 0, restMs: longestRestMs };
    if (lateAt >= now) return { added: 0, restMs: lateAt.getTime() - now.getTime() + 1 };
    const overdue = await findOverdue(tx, now, BATCH);
    const alerts = await lockWatchingAlerts(tx, [...new Set(overdue.map(({ jobId }) => jobId))]);
    const reports = evaluateOverdue(overdue, alerts, now);
    await insertLateMarks(tx, reports.map(markOf));
    return { added: await writeReports(tx, reports, options, now), restMs: OVERDUE_LOOK_MS };
  }

  const loop = createLoop({ name: 'alert reader', step, onError });
  return extendLoop(loop, {
    noteEvents() {
      if (!isWatching) return;
      gathering ??= setTimeout(() => {
        gathering = undefined;
        loop.wake();
      }, GATHER_MS);
    },
    async stop() {
      clearTimeout(gathering);
      await loop.stop();
    },
  });
}

function isStart({ kind }: WatchedEvent): boolean {
  return kind === 'EXECUTION_STARTED';
}

function idsOf(events: readonly WatchedEvent[], isMeant: (event: WatchedEvent) => boolean): string[] {
  return events.filter(isMeant).map(({ executionId }) => executionId);
}

function markOf({ alert, facts }: AlertReport): LateMark {
  return { alertId: alert.id, executionId: facts.executionId };
}
