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
  /** Records ends that other jobs wait for, together with the runs that they set off, in one transaction. */
  settleUpstream: (settlements: readonly SettlementRow[]) => Promise<UpstreamSettled>;
  /** Called after each recorded batch: claims may be made, the log has grown. */
  onRecorded: (settlements: readonly SettlementRow[]) => void;
  /** Called after recorded ends have set off runs of other jobs. */
  onPlanned: (setOff: { isReplacing: boolean }) => void;
}

/** Writes batches of outcomes, and answers each entry once that is known to be done, or given up. */
export interface Recorder {
  /** Resolves when the batch is written, or is left to be written apart. Never rejects. */
  record: (batch: Entry[]) => Promise<void>;
  /** What is being written apart. */
  apart: ReadonlySet<Promise<void>>;
}

/** Writes a batch; what it defers is to be written in another way. */
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

  /** Answers those that were written, or had lost their claim; gives back those that are to be written otherwise. */
  async function writeBatch(batch: readonly Entry[], how: Write): Promise<Entry[]> {
    const { answer, isRepeated } = await persistence.whileAway(batch.length, () =>
      how(batch.map(settlementOf)),
    );
    if (isRepeated) tellAgain(batch, how);
    return conclude(batch, answer);
  }

  /** What was tried before may have been carried out then, and only the answer was lost: nobody has been told of that. */
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

  /** One row that is refused, or held by somebody, must not take a whole batch with it: the others come first. */
  async function recordApart(batch: readonly Entry[], how: Write): Promise<void> {
    let left = batch;
    for (let tries = 1; left.length > 0; tries += 1) {
      const failed: Entry[] = [];
      for (const entry of left) if (!(await recordAlone(entry, how))) failed.push(entry);
      left = failed;
      if (left.length > 0) await persistence.rest(tries);
    }
  }

  /** @returns whether the entry has had its answer, or goes another way */
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

/** What the database refuses is tried again without the target's answer. */
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
