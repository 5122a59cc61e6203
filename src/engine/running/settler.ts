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

export interface SettlerOptions extends RecorderOptions, Partial<Omit<GatheringOptions, 'pause'>> {
  /** Called when a callback has begun to be awaited: the log has grown. */
  onAwaiting: () => void;
  /** Waits: for a batch to gather, or before one is tried again. */
  pause: (ms: number) => Promise<void>;
  /** Outcomes that may wait to be recorded before the settler is full. */
  maxUnrecorded?: number;
}

/** One statement's worth: beyond this the JSON of a batch outweighs the round trips it saves. */
const MAX_BATCH = 500;
/** Many times what waits where calls are fastest; with answers as long as they may be, some hundred megabytes. */
const MAX_UNRECORDED = 5_000;

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
  const { db, onAwaiting, pause, maxUnrecorded = MAX_UNRECORDED } = options;
  const { gatherMs = 0, isPressed = () => false, areMoreNear = () => false } = options;
  const gathering = createGathering({ pause, gatherMs, isPressed, areMoreNear });
  const persistence = createPersistence(pause);
  const recorder = createRecorder(options, persistence);
  /** By their executions' ids. */
  const queue = new Map<string, Entry>();
  let flushing: Promise<void> | null = null;
  /** Outcomes that were handed in and are not recorded yet. */
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
      while (flushing || recorder.apart.size > 0) await Promise.all([flushing, ...recorder.apart]);
    },
    giveUp: persistence.giveUp,
  };
}
