import { createLogger } from '../../logging/logger.ts';
import { startWait, type CallbackWait, type WaitStart } from '../../store/executions/callbacks.ts';
import { isAway, isRefused } from '../../store/statements/failures.ts';
import {
  settle,
  settlementRow,
  withoutAnswer,
  type Settled,
  type Settlement,
  type SettlementRow,
} from '../../store/executions/settling.ts';
import type { UpstreamSettled } from '../../store/executions/settling-upstream.ts';
import type { Queryable } from '../../store/statements/sql.ts';
import { logIds } from './log-ids.ts';

const logger = createLogger('Settler');

export interface Settler {
  /**
   * Hands in how an attempt ended. Resolves when that is recorded: true, or false where the claim had been lost and
   * nothing was written. Rejects only where it is not recorded when the settler gives up.
   */
  settle: (settlement: Settlement) => Promise<boolean>;
  /** Records that an attempt has its answer and waits for its callback. Rejects only where `settle` does. */
  awaitCallback: (wait: CallbackWait) => Promise<WaitStart>;
  /** Whether so many outcomes wait to be recorded that no more calls should be begun. */
  isFull: () => boolean;
  /** Resolves when all that was handed in is recorded, or given up. */
  idle: () => Promise<void>;
  /** Tries nothing a second time any more: for an instance that has to end while the database is away. */
  giveUp: () => void;
}

export interface SettlerOptions {
  db: Queryable;
  /** Records ends that other jobs wait for, together with the runs that they set off, in one transaction. */
  settleUpstream: (settlements: readonly SettlementRow[]) => Promise<UpstreamSettled>;
  /** Called after each recorded batch: claims may be made, the log has grown. */
  onRecorded: (settlements: readonly SettlementRow[]) => void;
  /** Called when a callback has begun to be awaited: the log has grown. */
  onAwaiting: () => void;
  /** Called after recorded ends have set off runs of other jobs. */
  onPlanned: (setOff: { isReplacing: boolean }) => void;
  /** Waits: for a batch to gather, or before one is tried again. */
  pause: (ms: number) => Promise<void>;
  /** Milliseconds between the beginnings of two batches; what comes meanwhile is in the second. 0 where left out. */
  gatherMs?: number;
  /** Whether calls wait for a place that they have soon: then batches gather for {@link PRESSED_GATHERS} times as long. */
  isPressed?: () => boolean;
  /** Whether calls that have just begun are under way: the first outcome of many waits for the others, for a moment. */
  areMoreNear?: () => boolean;
  /** Outcomes that may wait to be recorded before the settler is full. */
  maxUnrecorded?: number;
}

interface Entry {
  settlement: SettlementRow;
  resolve: (recorded: boolean) => void;
  reject: (error: unknown) => void;
}

/** One statement's worth: beyond this the JSON of a batch outweighs the round trips it saves. */
const MAX_BATCH = 500;
/** While calls wait, what is recorded takes the time of those to come, on either side of the database's socket. */
const PRESSED_GATHERS = 5;
/** For so long the first outcome waits, and looks so often whether there are more to come. */
const NEAR_MS = 20;
const NEAR_LOOK_MS = 5;
const RETRY_MS = 500;
/** Of what fails though the database is there, the pauses between tries double up to this. */
const MAX_RETRY_MS = 10_000;
/** Many times what waits where calls are fastest; with answers as long as they may be, some hundred megabytes. */
const MAX_UNRECORDED = 5_000;

/** Writes a batch; what it defers is to be written in another way. */
type Write = (settlements: readonly SettlementRow[]) => Promise<Settled>;

const settlementOf = ({ settlement }: Entry): SettlementRow => settlement;
const NONE: ReadonlySet<string> = new Set();

/**
 * Records outcomes in micro-batches: at once when idle, and while one batch is being written the next one gathers, for
 * `gatherMs` at least, and longer while calls wait for a place. So a lone outcome waits for nobody, those of a few calls that
 * began together go out together, and a flood costs a statement per few hundred. Only ends that other jobs wait for cost a
 * transaction, one per batch.
 *
 * An outcome is known, and forgetting it would repeat its call: it is kept, and tried again, until it is recorded. A batch that
 * fails though the database is there is written apart, one by one, while those behind it go on. Data that the database refuses
 * is tried again without the target's answer.
 */
export function createSettler(options: SettlerOptions): Settler {
  const { db, onRecorded, onPlanned, pause, gatherMs = 0 } = options;
  const { isPressed = () => false, areMoreNear = () => false, maxUnrecorded = MAX_UNRECORDED } = options;
  /** By their executions' ids. */
  const queue = new Map<string, Entry>();
  let flushing: Promise<void> | null = null;
  const apart = new Set<Promise<void>>();
  let isGivenUp = false;
  /** Outcomes that were handed in and are not recorded yet. */
  let unrecorded = 0;
  let lastBatchMs = -Infinity;

  const write: Write = (settlements) => settle(db, settlements);
  const writeUpstream: Write = async (settlements) => {
    const { written, planned, isReplacing } = await options.settleUpstream(settlements);
    if (planned > 0) onPlanned({ isReplacing });
    return { written, deferred: NONE };
  };

  async function flush(): Promise<void> {
    // Not even the first ones are recorded at once.
    if (isPressed()) lastBatchMs = performance.now();
    else if (areMoreNear()) await waitForOthers();
    while (queue.size > 0) {
      if (performance.now() < gathersUntilMs()) await gather();
      lastBatchMs = performance.now();
      const batch = [...queue.values()].slice(0, MAX_BATCH);
      for (const { settlement } of batch) queue.delete(settlement.executionId);
      await record(batch, write);
    }
    flushing = null;
  }

  async function waitForOthers(): Promise<void> {
    for (let waitedMs = 0; waitedMs < NEAR_MS && areMoreNear(); waitedMs += NEAR_LOOK_MS) {
      await pause(NEAR_LOOK_MS);
    }
  }

  function gathersUntilMs(): number {
    return lastBatchMs + gatherMs * (isPressed() ? PRESSED_GATHERS : 1);
  }

  /** In several pauses: the pressure may end, or the batch be full. */
  async function gather(): Promise<void> {
    for (let periods = 1; periods <= PRESSED_GATHERS && queue.size < MAX_BATCH; periods += 1) {
      const waitMs = lastBatchMs + periods * gatherMs - performance.now();
      if (waitMs > 0) await pause(waitMs);
      if (!isPressed()) return;
    }
  }

  async function record(batch: Entry[], how: Write): Promise<void> {
    let settled: Settled;
    try {
      const { answer, isRepeated } = await persistently(batch.length, () => how(batch.map(settlementOf)));
      if (isRepeated) tellAgain(batch, how);
      settled = answer;
    } catch (error) {
      if (isGivenUp) for (const entry of batch) entry.reject(error);
      else setApart(batch, how, error);
      return;
    }
    const deferred = conclude(batch, settled);
    if (deferred.length > 0) await record(deferred, writeUpstream);
  }

  /** What was tried before may have been carried out then, and only the answer was lost: nobody has been told of that. */
  function tellAgain(batch: readonly Entry[], how: Write): void {
    onRecorded(batch.map(settlementOf));
    if (how === writeUpstream) onPlanned({ isReplacing: true });
  }

  /** Answers those that were written, or had lost their claim; gives back those that are to be written otherwise. */
  function conclude(batch: readonly Entry[], { written, deferred }: Settled): Entry[] {
    const recorded = batch.filter(({ settlement }) => written.has(settlement.executionId));
    if (recorded.length > 0) onRecorded(recorded.map(({ settlement }) => settlement));
    for (const { settlement, resolve } of batch) {
      if (!deferred.has(settlement.executionId)) resolve(written.has(settlement.executionId));
    }
    return batch.filter(({ settlement }) => deferred.has(settlement.executionId));
  }

  function setApart(batch: readonly Entry[], how: Write, error: unknown): void {
    if (batch.length > 1)
      logger.warn('A batch of outcomes failed; each is recorded by itself', { count: batch.length, error });
    const work = recordApart(batch, how).finally(() => apart.delete(work));
    apart.add(work);
  }

  /** One row that is refused, or held by somebody, must not take a whole batch with it: the others come first. */
  async function recordApart(batch: readonly Entry[], how: Write): Promise<void> {
    let left = batch;
    for (let tries = 1; left.length > 0; tries += 1) {
      const failed: Entry[] = [];
      for (const entry of left) if (!(await recordAlone(entry, how))) failed.push(entry);
      left = failed;
      if (left.length > 0) await pause(retryMs(tries));
    }
  }

  /** @returns whether the entry has had its answer, or goes another way */
  async function recordAlone(entry: Entry, how: Write): Promise<boolean> {
    try {
      const { answer, isRepeated } = await persistently(1, () => how([entry.settlement]));
      if (isRepeated) tellAgain([entry], how);
      const deferred = conclude([entry], answer);
      if (deferred.length > 0) await recordApart(deferred, writeUpstream);
      return true;
    } catch (error) {
      if (isGivenUp) {
        entry.reject(error);
        return true;
      }
      const ids = logIds(entry.settlement);
      if (isRefused(error)) {
        logger.error('An outcome was refused by the database; trying again without the answer', {
          ...ids,
          error,
        });
        entry.settlement = withoutAnswer(entry.settlement);
      } else {
        logger.warn('An outcome could not be recorded; trying again', { ...ids, error });
      }
      return false;
    }
  }

  /** Keeps trying while the database is away. Rejects with any other error, and with the last one once given up. */
  async function persistently<T>(
    count: number,
    attempt: () => Promise<T>,
  ): Promise<{ answer: T; isRepeated: boolean }> {
    for (let isRepeated = false; ; isRepeated = true) {
      try {
        return { answer: await attempt(), isRepeated };
      } catch (error) {
        if (!isAway(error) || isGivenUp) throw error;
        logger.warn('Outcomes cannot be recorded at the moment; trying again', { count, error });
        await pause(RETRY_MS);
      }
    }
  }

  async function awaitCallback(wait: CallbackWait): Promise<WaitStart> {
    for (let tries = 1; ; tries += 1) {
      try {
        const { answer: start, isRepeated } = await persistently(1, () => startWait(db, wait));
        if (start === 'waiting' || isRepeated) options.onAwaiting();
        return start;
      } catch (error) {
        if (isGivenUp) throw error;
        logger.warn('An outcome could not be recorded; trying again', { ...logIds(wait), error });
        await pause(retryMs(tries));
      }
    }
  }

  function counted<T>(recording: Promise<T>): Promise<T> {
    const countDown = () => {
      unrecorded -= 1;
    };
    unrecorded += 1;
    recording.then(countDown, countDown);
    return recording;
  }

  function enqueue(settlement: Settlement): Promise<boolean> {
    return new Promise((resolve, reject) => {
      const entry = { settlement: settlementRow(settlement), resolve, reject };
      const other = queue.get(settlement.executionId);
      // Of two claims of an execution the earlier one was lost.
      const [lost, kept] =
        other && other.settlement.claimSeq > settlement.claimSeq ? [entry, other] : [other, entry];
      lost?.resolve(false);
      queue.set(settlement.executionId, kept);
      flushing ??= flush();
    });
  }

  return {
    settle: (settlement) => counted(enqueue(settlement)),
    awaitCallback: (wait) => counted(awaitCallback(wait)),
    isFull: () => unrecorded >= maxUnrecorded,
    async idle() {
      while (flushing || apart.size > 0) await Promise.all([flushing, ...apart]);
    },
    giveUp() {
      isGivenUp = true;
    },
  };
}

function retryMs(tries: number): number {
  return Math.min(RETRY_MS * 2 ** (tries - 1), MAX_RETRY_MS);
}
