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
  /** The longest sleep, where nobody wakes it. */
  longestRestMs: number;
  maxPerMinute: number;
  /** Called after new deliveries were written. */
  onDeliveries: () => void;
  onError: (error: unknown) => void;
}

/** Reads the event log, and turns what alerts ask for into deliveries. */
export interface AlertReader extends Loop {
  /** The log has probably grown: looks soon if any alert is known to be enabled, and does nothing otherwise. */
  noteEvents: () => void;
}

/** Enough to keep up with any writer, few enough to hold the reader's place for milliseconds. */
const BATCH = 1_000;
/** Another instance reads at this moment: what it does not see, it or we see then. */
const BUSY_MS = 1_000;
/** Events are read this long after the first of them: on a busy system one look serves many. */
const GATHER_MS = 200;

/** Between two looks at what has not started: with a long backlog such a look takes some milliseconds. */
const OVERDUE_LOOK_MS = 1_000;

/** What one look at the log came to. */
interface Pass {
  /** Deliveries written. */
  added: number;
  /** In how many milliseconds to look again. */
  restMs: number;
}

/**
 * Walks the event log, whose order is the order of commits, from a position that is a row of the database. One
 * transaction reads a batch, writes the deliveries that it gives rise to, and moves the position: each event is looked at
 * once, whoever dies when, and however many instances look.
 *
 * While no alert is enabled it reads nothing, and asks for alerts only when it is woken. The first alert then finds a
 * position far behind, and passes it over: it tells of nothing from before it was made.
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

  /** Tells of executions that have not started in time, the start of which no event will ever tell in time. */
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
