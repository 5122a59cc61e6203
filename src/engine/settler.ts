import { createLogger } from '../logging/logger.ts';
import { startWait, type CallbackWait, type WaitStart } from '../store/callbacks.ts';
import { settle, type Settled, type Settlement } from '../store/settling.ts';
import type { UpstreamSettled } from '../store/settling-upstream.ts';
import type { Queryable } from '../store/sql.ts';
import { logIds } from './log-ids.ts';

const logger = createLogger('Settler');

export interface Settler {
  /**
   * Hands in how an attempt ended. Resolves when that is recorded: true, or false where the claim had been lost and
   * nothing was written. Rejects only when it could not be recorded at all.
   */
  settle: (settlement: Settlement) => Promise<boolean>;
  /** Records that an attempt has its answer and waits for its callback. Rejects only where `settle` does. */
  awaitCallback: (wait: CallbackWait) => Promise<WaitStart>;
  /** Resolves when all that was handed in is recorded, or given up. */
  idle: () => Promise<void>;
  /** Tries nothing a second time any more: for an instance that has to end while the database is away. */
  giveUp: () => void;
}

export interface SettlerOptions {
  db: Queryable;
  /** Records ends that other jobs wait for, together with the runs that they set off, in one transaction. */
  settleUpstream: (settlements: readonly Settlement[]) => Promise<UpstreamSettled>;
  /** Called after each recorded batch: claims may be made, the log has grown. */
  onRecorded: (settlements: readonly Settlement[]) => void;
  /** Called after recorded ends have set off runs of other jobs. */
  onPlanned: () => void;
  /** Waits before a batch is tried again while the database is away. */
  pause: (ms: number) => Promise<void>;
  /** Milliseconds between the beginnings of two batches; what comes meanwhile is in the second. 0 where left out. */
  gatherMs?: number;
}

interface Entry {
  settlement: Settlement;
  resolve: (recorded: boolean) => void;
  reject: (error: unknown) => void;
}

/** One statement's worth: beyond this the JSON of a batch outweighs the round trips it saves. */
const MAX_BATCH = 500;
const RETRY_MS = 500;

/** Writes a batch; what it defers is to be written in another way. */
type Write = (settlements: readonly Settlement[]) => Promise<Settled>;

const NONE: ReadonlySet<string> = new Set();

/**
 * Records outcomes in micro-batches: at once when idle, and while one batch is being written the next one gathers, for
 * `gatherMs` at least. So a lone outcome waits for nobody and a flood of them costs a statement per few hundred. Only ends that other jobs
 * wait for cost a transaction, one per batch.
 */
export function createSettler(options: SettlerOptions): Settler {
  const { db, onRecorded, onPlanned, pause, gatherMs = 0 } = options;
  let queue: Entry[] = [];
  let flushing: Promise<void> | null = null;
  let isGivenUp = false;

  const write: Write = (settlements) => settle(db, settlements);
  const writeUpstream: Write = async (settlements) => {
    const { written, planned } = await options.settleUpstream(settlements);
    if (planned > 0) onPlanned();
    return { written, deferred: NONE };
  };

  let nextBatchMs = 0;

  async function flush(): Promise<void> {
    while (queue.length > 0) {
      const waitMs = nextBatchMs - performance.now();
      if (waitMs > 0 && queue.length < MAX_BATCH) await pause(waitMs);
      nextBatchMs = performance.now() + gatherMs;
      const batch = queue.slice(0, MAX_BATCH);
      queue = queue.slice(MAX_BATCH);
      await record(batch, write);
    }
    flushing = null;
  }

  async function record(batch: Entry[], how: Write): Promise<void> {
    const settled = await persist(batch, how);
    if (settled === null) return;
    const { written, deferred } = settled;
    const recorded = batch.filter(({ settlement }) => written.has(settlement.executionId));
    if (recorded.length > 0) onRecorded(recorded.map(({ settlement }) => settlement));

    const left = batch.filter(({ settlement }) => deferred.has(settlement.executionId));
    for (const { settlement, resolve } of batch) {
      if (!deferred.has(settlement.executionId)) resolve(written.has(settlement.executionId));
    }
    if (left.length > 0) await record(left, writeUpstream);
  }

  /** @returns what came of the batch; null where every entry has had its answer */
  async function persist(batch: Entry[], how: Write): Promise<Settled | null> {
    try {
      return await persistently(batch.length, () => how(batch.map((entry) => entry.settlement)));
    } catch (error) {
      if (isRefused(error)) await recordOneByOne(batch, how, error);
      else for (const entry of batch) entry.reject(error);
      return null;
    }
  }

  /**
   * Keeps trying while the database is away: the outcome is known, and forgetting it would repeat the call. Rejects with
   * what is refused, or with the last error once it is given up.
   */
  async function persistently<T>(count: number, attempt: () => Promise<T>): Promise<T> {
    for (;;) {
      try {
        return await attempt();
      } catch (error) {
        if (isRefused(error) || isGivenUp) throw error;
        logger.warn('Outcomes cannot be recorded at the moment; trying again', { count, error });
        await pause(RETRY_MS);
      }
    }
  }

  /** One row that the database refuses must not take a whole batch with it. */
  async function recordOneByOne(batch: Entry[], how: Write, error: unknown): Promise<void> {
    const [only, ...others] = batch;
    if (only && others.length === 0) {
      logger.error('An outcome was refused by the database; its lease will end and the rescuer decides', {
        ...logIds(only.settlement),
        error,
      });
      only.reject(error);
      return;
    }
    for (const entry of batch) await record([entry], how);
  }

  return {
    settle(settlement) {
      return new Promise((resolve, reject) => {
        queue.push({ settlement, resolve, reject });
        flushing ??= flush();
      });
    },
    awaitCallback: (wait) => persistently(1, () => startWait(db, wait)),
    async idle() {
      while (flushing) await flushing;
    },
    giveUp() {
      isGivenUp = true;
    },
  };
}

/** Errors of the data itself (SQLSTATE classes 21, 22 and 23), which no second try will cure. */
function isRefused(error: unknown): boolean {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  return typeof code === 'string' && /^2[123]/.test(code);
}
