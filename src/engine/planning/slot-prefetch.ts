import type { Pool } from 'pg';
import type { Clock } from '../../domain/values/clock.ts';
import { earliest } from '../../domain/schedule/earliest.ts';
import { createLogger } from '../../logging/logger.ts';
import { readUpcoming, type NextPlanning, type UpcomingJob } from '../../store/executions/planning.ts';
import { startSlots, type PrefetchedSlot, type StartedSlots } from '../../store/executions/slot-starting.ts';
import type { ClaimedExecution } from '../../store/executions/claimed-rows.ts';
import type { Queryable } from '../../store/statements/sql.ts';
import { prefetch } from './next-slot.ts';
import type { LostClaims } from '../running/lost-claims.ts';
import { createPreparation, type Preparation } from './prepared-slots.ts';
import type { Worker } from '../running/worker.ts';

const logger = createLogger('Planner');

export interface SlotPrefetchOptions {
  pool: Queryable & Pick<Pool, 'connect'>;
  clock: Clock;
  instanceId: string;
  leaseMs: number;
  lostClaims: Pick<LostClaims, 'watch'>;
  worker: Pick<Worker, 'placesFor' | 'keepPlaces' | 'take'>;
  /** Whether a job is held until its next slot, to be made with many others (see burst.ts). */
  isHeld: (jobId: string) => boolean;
  /** Called after each statement that made executions which wait for a place, or for their jitter. */
  onWaiting: () => void;
  monotonicMs?: () => number;
}

/** What became of the foreseen slots that had come. */
export interface Started {
  /** When the earliest of their jobs is due again, but for those that are remembered; null where there is none. */
  nextRunAt: Date | null;
  /** Whether a job has changed since, or is held by somebody: the planner is to look for itself. */
  isAnyLeft: boolean;
}

/**
 * Slots that are about to come, of jobs that are read just before, or remembered from the last slot. Nothing of a slot is to be
 * seen before it comes; but what it becomes is known, so that a single statement makes its execution, and claims it where there
 * is a place, if its job still is what it was when it was read. A change in between, by whomever, leaves the slot to the planner.
 * Of many slots at one instant, that is done just before, and committed when they come (see {@link Preparation}).
 */
export interface SlotPrefetch extends Pick<Preparation, 'preparedFor' | 'prepare' | 'abandon'> {
  /** When the earliest slot comes that is foreseen; null where none is. */
  nextAt: () => Date | null;
  /** When slots are to be prepared; null where none are. */
  prepareAt: () => Date | null;
  jobIds: () => string[];
  /** When the earliest was due of the jobs that were read with them, and of which it was not known what their slots become. */
  undecidedAt: () => Date | null;
  /**
   * Prefetches what is due up to an instant, in place of all that was foreseen or remembered before.
   *
   * @returns what comes next, apart from that; null where nothing is due so soon
   */
  look: (until: Date, except: readonly string[]) => Promise<NextPlanning | null>;
  /** When the earliest is due of the jobs that it remembers: their slots were started, and the next ones come soon. */
  rememberedAt: () => Date | null;
  /**
   * Prefetches what is due of these up to an instant, in place of all that was foreseen before, without reading them again.
   *
   * @returns when the earliest of those is due whose slots cannot be foreseen
   */
  recall: (until: Date) => Date | null;
  /** Whether slots that have come are about to be started: their calls are to come, like those that wait for a place. */
  isStarting: () => boolean;
  /** Starts the slots that have come; what is left of them is no longer foreseen. */
  start: () => Promise<Started>;
}

interface StartedBatch extends StartedSlots {
  /** Whether any of it waits for a place. */
  isAnyWaiting: boolean;
}

/** Jobs that are foreseen at most. */
const MAX_FORESEEN = 1_000;
/** Computing after which no further slot is foreseen: it is done before they come, and keeps everything else waiting. */
const COMPUTING_MS = 100;
/**
 * A job whose next slot comes within this time of the start of the one before is not read again: whether it has changed, the
 * statement that starts the slot sees anyhow. The longer ago it was read, the likelier it has.
 */
const REMEMBERED_MS = 2_000;
/** So few slots of one instant are not prepared: to start them takes hardly longer than to commit what was prepared. */
const FEW = 10;
/**
 * Slots in one statement: few in the first, so that their calls are soon under way, and with each next one twice as many, up to
 * so many that they share its cost.
 */
const FIRST_BATCH = 25;
const LARGEST_BATCH = 200;

export function createSlotPrefetch({
  pool,
  clock,
  instanceId,
  leaseMs,
  lostClaims,
  worker,
  isHeld,
  onWaiting,
  monotonicMs = () => performance.now(),
}: SlotPrefetchOptions): SlotPrefetch {
  /** In the order of their slots. */
  let prefetched: PrefetchedSlot[] = [];
  /** Jobs that were read with them, and of which it is not known what their slots become. */
  let notPrefetched: UpcomingJob[] = [];
  /** The jobs of what is foreseen, by their ids. */
  let prefetchedJobs = new Map<string, UpcomingJob>();
  /** Jobs that have moved on, each with its next run. */
  let remembered: UpcomingJob[] = [];
  let isStarting = false;
  const preparation = createPreparation({
    pool,
    clock,
    instanceId,
    leaseMs,
    lostClaims,
    few: FEW,
    batchSize: LARGEST_BATCH,
    placesFor: (slots, now) => placesFor([], slots, now),
    keepPlaces: worker.keepPlaces,
  });

  async function look(until: Date, except: readonly string[]): Promise<NextPlanning | null> {
    await preparation.abandon();
    remembered = [];
    prefetchAll([]);
    const { jobs, apart } = await readUpcoming(pool, until, { except, limit: MAX_FORESEEN });
    if (apart === null) return null;
    return { ...apart, runAt: earliest(apart.runAt, prefetchAll(jobs)) };
  }

  function recall(until: Date): Date | null {
    const jobs = remembered.filter(({ nextRunAt }) => nextRunAt <= until);
    remembered = remembered.filter(({ nextRunAt }) => nextRunAt > until);
    return prefetchAll(jobs.sort(bySlot));
  }

  /** Answers when the earliest of those is due whose slots cannot be foreseen. */
  function prefetchAll(jobs: UpcomingJob[]): Date | null {
    prefetched = [];
    notPrefetched = [];
    prefetchedJobs = new Map();
    let runAt: Date | null = null;
    const enoughAtMs = monotonicMs() + COMPUTING_MS;
    for (const job of jobs) {
      if (isHeld(job.id)) {
        runAt = earliest(runAt, job.nextRunAt);
        continue;
      }
      const mayCompute = prefetched.length < MAX_FORESEEN && monotonicMs() < enoughAtMs;
      const slot = mayCompute ? prefetch(job) : null;
      if (slot) {
        prefetched.push(slot);
        prefetchedJobs.set(job.id, job);
      } else {
        notPrefetched.push(job);
        runAt = earliest(runAt, job.nextRunAt);
      }
    }
    preparation.plan(prefetched);
    return runAt;
  }

  /** Answers whether the job is remembered, now that it has moved on. */
  function remember(jobId: string, nextRunAt: Date, now: Date): boolean {
    const job = prefetchedJobs.get(jobId);
    const restMs = nextRunAt.getTime() - now.getTime();
    // Not what is past: the planner decides what becomes of slots that were missed.
    if (!job || restMs <= 0 || restMs > REMEMBERED_MS) return false;
    job.nextRunAt = nextRunAt;
    remembered.push(job);
    return true;
  }

  async function start(): Promise<Started> {
    isStarting = true;
    try {
      return await startDue();
    } finally {
      isStarting = false;
    }
  }

  async function startDue(): Promise<Started> {
    const now = clock.now();
    const isDue = ({ scheduledAt }: PrefetchedSlot) => scheduledAt <= now;
    const due = prefetched.filter(isDue);
    prefetched = prefetched.filter((slot) => !isDue(slot));
    const begun = await preparation.commit(now, worker.take);
    const moved = new Set(begun.movedJobIds);
    let claimed: readonly ClaimedExecution[] = [];
    let isAnyWaiting = false;
    const begunAt = clock.now();
    const toStart = due.filter(
      ({ jobId, onTimeUntil }) => !begun.jobIds.has(jobId) && begunAt <= onTimeUntil,
    );
    for (const batch of batchesOf(toStart)) {
      // Of one instant, those that wait are of no lower priority than those to come: none of these may pass them.
      const result = await startBehind(claimed, batch, !isAnyWaiting);
      claimed = result.claimed;
      for (const jobId of result.jobIds) moved.add(jobId);
      isAnyWaiting ||= result.isAnyWaiting;
    }
    worker.take(claimed);
    preparation.plan(prefetched);
    const started: Started = { nextRunAt: null, isAnyLeft: moved.size < due.length };
    const endedAt = clock.now();
    for (const { jobId, nextRunAt } of due) {
      if (moved.has(jobId) && !remember(jobId, nextRunAt, endedAt))
        started.nextRunAt = earliest(started.nextRunAt, nextRunAt);
      prefetchedJobs.delete(jobId);
    }
    return started;
  }

  /**
   * The calls of the batch before begin when the statement of the next one is on its way: they keep this process busy for
   * as long as it takes the database.
   */
  async function startBehind(
    before: readonly ClaimedExecution[],
    batch: readonly PrefetchedSlot[],
    mayCall: boolean,
  ): Promise<StartedBatch> {
    const calls = nextTurn().then(() => {
      worker.take(before);
    });
    return startBatch(before, batch, mayCall).finally(() => calls);
  }

  async function startBatch(
    before: readonly ClaimedExecution[],
    batch: readonly PrefetchedSlot[],
    mayCall: boolean,
  ): Promise<StartedBatch> {
    const now = clock.now();
    const places = mayCall ? placesFor(before, batch, now) : [];
    const slots = batch.map(({ row, availableAt }, index) => ({
      row,
      availableAt,
      starts: availableAt <= now && (places[index] ?? false),
    }));
    const leaseExpiresAt = new Date(now.getTime() + leaseMs);
    const started = await lostClaims.watch(leaseExpiresAt, () =>
      startSlots(pool, { slots, instanceId, now, leaseExpiresAt }),
    );
    const { jobIds, executions, claimed } = started;
    logger.debug('Started as foreseen', { jobs: jobIds.length, executions, claimed: claimed.length });
    if (claimed.length < executions) onWaiting();
    // Not those that wait for their jitter alone.
    return {
      ...started,
      isAnyWaiting: slots.some(({ starts, availableAt }) => !starts && availableAt <= now),
    };
  }

  /** Leaves places to whatever is planned in a moment and is of higher priority. */
  function placesFor(
    before: readonly ClaimedExecution[],
    batch: readonly PrefetchedSlot[],
    now: Date,
  ): boolean[] {
    const lowest = Math.min(...batch.map(({ priority }) => priority));
    const first = notPrefetched.filter(({ priority, nextRunAt }) => priority > lowest && nextRunAt <= now);
    return worker
      .placesFor([...before, ...first, ...batch].map(({ host }) => host))
      .slice(before.length + first.length);
  }

  return {
    nextAt: () => prefetched[0]?.scheduledAt ?? null,
    prepareAt: preparation.dueAt,
    preparedFor: preparation.preparedFor,
    prepare: preparation.prepare,
    abandon: preparation.abandon,
    jobIds: () => prefetched.map(({ jobId }) => jobId),
    undecidedAt: () => notPrefetched[0]?.nextRunAt ?? null,
    look,
    rememberedAt: () => remembered.reduce<Date | null>((at, { nextRunAt }) => earliest(at, nextRunAt), null),
    recall,
    isStarting: () => isStarting,
    start,
  };
}

function* batchesOf(slots: readonly PrefetchedSlot[]): Generator<readonly PrefetchedSlot[]> {
  let rest = slots;
  for (let size = FIRST_BATCH; rest.length > 0; size = Math.min(2 * size, LARGEST_BATCH)) {
    yield rest.slice(0, size);
    rest = rest.slice(size);
  }
}

/** Those first whose slot is first, and of one instant those of higher priority. */
function bySlot(one: UpcomingJob, other: UpcomingJob): number {
  return one.nextRunAt.getTime() - other.nextRunAt.getTime() || other.priority - one.priority;
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
