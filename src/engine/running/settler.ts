import { createLogger } from '../../logging/logger.ts';
import { startWait, type CallbackWait, type WaitStart } from '../../store/executions/callbacks.ts';
import { settlementRow, type Settlement } from '../../store/executions/settling.ts';
import { createGathering, type GatheringOptions } from './gathering.ts';
import { logIds } from './log-ids.ts';
import { createPersistence } from './persistence.ts';
import { createRecorder, type Entry, type RecorderOptions } from './recorder.ts';

const logger = createLogger('Settler');

export interface Settler {
  /**
   * Takes the end of an attempt. Resolves with true when it is recorded, and with false when the claim was lost and
   * nothing was written. Rejects only when the settler gives up before the record.
   */
  settle: (settlement: Settlement) => Promise<boolean>;
  /** Records that an attempt has its answer and waits for its callback. Rejects only when `settle` would. */
  awaitCallback: (wait: CallbackWait) => Promise<WaitStart>;
  /** Whether so many outcomes wait for their record that no more calls should begin. */
  isFull: () => boolean;
  /** Resolves when all taken outcomes are recorded or given up. */
  idle: () => Promise<void>;
  /** Ends all repeated tries. An instance needs it to end while the database is unreachable. */
  giveUp: () => void;
}

export interface SettlerOptions extends RecorderOptions, Partial<Omit<GatheringOptions, 'pause'>> {
  /** Called when an execution begins to wait for its callback. The log has grown. */
  onAwaiting: () => void;
  /** Waits while a batch gathers, or before the next try. */
  pause: (ms: number) => Promise<void>;
  /** How many outcomes may wait for their record before the settler is full. */
  maxUnrecorded?: number;
}

/** Outcomes of one statement. In larger batches the JSON costs more than the saved round trips. */
const MAX_BATCH = 500;
/** Many times more than wait with the fastest calls. With the longest answers this takes some hundred megabytes. */
const MAX_UNRECORDED = 5_000;

/**
 * Records outcomes in small batches. When idle it writes at once. While it writes one batch, the next one gathers: at
 * least for `gatherMs`, and longer while calls wait for a place. So a single outcome does not wait, outcomes of calls
 * that began together share a statement, and many outcomes cost one statement per few hundred. Ends that other jobs
 * wait for cost one transaction per batch.
 *
 * A lost outcome would repeat its call. So the settler keeps an outcome and tries again until it is recorded. When a
 * batch fails although the database answers, its outcomes are written one by one while later batches continue. When
 * the database refuses the data, the next try omits the target's answer.
 */
export function createSettler(options: SettlerOptions): Settler {
  const { db, onAwaiting, pause, maxUnrecorded = MAX_UNRECORDED } = options;
  const { gatherMs = 0, isPressed = () => false, areMoreNear = () => false } = options;
  const gathering = createGathering({ pause, gatherMs, isPressed, areMoreNear });
  const persistence = createPersistence(pause);
  const recorder = createRecorder(options, persistence);
  /** The waiting entries, by execution id. */
  const queue = new Map<string, Entry>();
  let flushing: Promise<void> | null = null;
  /** How many taken outcomes are not recorded yet. */
  let unrecorded = 0;

  async function flush(): Promise<void> {
    const others = gathering.atWakeUp();
    if (others) await others;
    while (queue.size > 0) {
      const gathered = gathering.nextBatch(() => queue.size >= MAX_BATCH);
      if (gathered) await gathered;
      const batch = [...queue.values()].slice(0, MAX_BATCH);
      for (const { settlement } of batch) queue.delete(settlement.executionId);
      await recorder.record(batch);
    }
    flushing = null;
  }

  async function awaitCallback(wait: CallbackWait): Promise<WaitStart> {
    for (let tries = 1; ; tries += 1) {
      try {
        const { answer: start, isRepeated } = await persistence.whileAway(1, () => startWait(db, wait));
        if (start === 'waiting' || isRepeated) onAwaiting();
        return start;
      } catch (error) {
        if (persistence.isGivenUp()) throw error;
        logger.warn('An outcome could not be recorded; trying again', { ...logIds(wait), error });
        await persistence.rest(tries);
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
      // The earlier of two claims of an execution is lost.
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
      while (flushing || recorder.apart.size > 0) await Promise.all([flushing, ...recorder.apart]);
    },
    giveUp: persistence.giveUp,
  };
}
