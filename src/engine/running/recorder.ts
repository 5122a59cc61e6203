import { createLogger } from '../../logging/logger.ts';
import { isRefused } from '../../store/statements/failures.ts';
import { settle, withoutAnswer, type Settled, type SettlementRow } from '../../store/executions/settling.ts';
import type { UpstreamSettled } from '../../store/executions/settling-upstream.ts';
import type { Queryable } from '../../store/statements/sql.ts';
import { logIds } from './log-ids.ts';
import type { Persistence } from './persistence.ts';

const logger = createLogger('Settler');

/** An outcome on its way into the database. */
export interface Entry {
  settlement: SettlementRow;
  resolve: (recorded: boolean) => void;
  reject: (error: unknown) => void;
}

export interface RecorderOptions {
  db: Queryable;
  /** Records the ends that other jobs wait for, together with the runs that these ends trigger, in one transaction. */
  settleUpstream: (settlements: readonly SettlementRow[]) => Promise<UpstreamSettled>;
  /** Called after each recorded batch. There may be executions to claim, and the log has grown. */
  onRecorded: (settlements: readonly SettlementRow[]) => void;
  /** Called after recorded ends have triggered runs of other jobs. */
  onPlanned: (setOff: { isReplacing: boolean }) => void;
}

/** Writes batches of outcomes. Each entry gets its answer when it is written or given up. */
export interface Recorder {
  /** Resolves when the batch is written, or when its entries are written one by one from then on. Never rejects. */
  record: (batch: Entry[]) => Promise<void>;
  /** The writes that are in progress one by one. */
  apart: ReadonlySet<Promise<void>>;
}

/** Writes a batch. Deferred entries need another way. */
type Write = (settlements: readonly SettlementRow[]) => Promise<Settled>;

const settlementOf = ({ settlement }: Entry): SettlementRow => settlement;
const NONE: ReadonlySet<string> = new Set();

export function createRecorder(options: RecorderOptions, persistence: Persistence): Recorder {
  const { db, onRecorded, onPlanned } = options;
  const apart = new Set<Promise<void>>();

  const write: Write = (settlements) => settle(db, settlements);
  const writeUpstream: Write = async (settlements) => {
    const { written, planned, isReplacing } = await options.settleUpstream(settlements);
    if (planned > 0) onPlanned({ isReplacing });
    return { written, deferred: NONE };
  };

  async function record(batch: Entry[], how: Write): Promise<void> {
    let deferred: Entry[];
    try {
      deferred = await writeBatch(batch, how);
    } catch (error) {
      if (persistence.isGivenUp()) for (const entry of batch) entry.reject(error);
      else setApart(batch, how, error);
      return;
    }
    if (deferred.length > 0) await record(deferred, writeUpstream);
  }

  /** Answers the entries that are written or have lost their claim. Returns the entries that need another way. */
  async function writeBatch(batch: readonly Entry[], how: Write): Promise<Entry[]> {
    const { answer, isRepeated } = await persistence.whileAway(batch.length, () =>
      how(batch.map(settlementOf)),
    );
    if (isRepeated) tellAgain(batch, how);
    return conclude(batch, answer);
  }

  /** An earlier try may have succeeded with only its answer lost. No event of it has been seen yet. */
  function tellAgain(batch: readonly Entry[], how: Write): void {
    onRecorded(batch.map(settlementOf));
    if (how === writeUpstream) onPlanned({ isReplacing: true });
  }

  function conclude(batch: readonly Entry[], { written, deferred }: Settled): Entry[] {
    const recorded = batch.filter(({ settlement }) => written.has(settlement.executionId));
    if (recorded.length > 0) onRecorded(recorded.map(settlementOf));
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

  /** One refused or locked row must not make a whole batch fail. The other entries come first. */
  async function recordApart(batch: readonly Entry[], how: Write): Promise<void> {
    let left = batch;
    for (let tries = 1; left.length > 0; tries += 1) {
      const failed: Entry[] = [];
      for (const entry of left) if (!(await recordAlone(entry, how))) failed.push(entry);
      left = failed;
      if (left.length > 0) await persistence.rest(tries);
    }
  }

  /** @returns whether the entry has its answer or goes another way */
  async function recordAlone(entry: Entry, how: Write): Promise<boolean> {
    try {
      const deferred = await writeBatch([entry], how);
      if (deferred.length > 0) await recordApart(deferred, writeUpstream);
      return true;
    } catch (error) {
      if (!persistence.isGivenUp()) {
        prepareNextTry(entry, error);
        return false;
      }
      entry.reject(error);
      return true;
    }
  }

  return { record: (batch) => record(batch, write), apart };
}

/** After a refusal of the database, the next try omits the target's answer. */
function prepareNextTry(entry: Entry, error: unknown): void {
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
}
