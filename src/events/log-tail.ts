import { readEventLogState, readLog, type EventLogState } from '../store/events/event-log.ts';
import type { Queryable } from '../store/statements/sql.ts';
import { readTagSnapshot } from '../store/events/tag-snapshot.ts';
import { createEventWindow, type EventWindow } from './event-window.ts';
import { createTagHistory, type TagHistory } from './tag-history.ts';

export interface LogTailOptions {
  db: Queryable;
  /** How often the log is looked at when no wake-up comes. */
  pollIntervalMs: number;
  windowCapacity: number;
  /** Whether anybody would read what is tailed. */
  isWanted: () => boolean;
  /**
   * Told how many events were added, before `onChange` is called. Of those that nobody read, how many positions: a third more
   * where each execution is done with one call, as lines of its log have positions of the same sequence.
   */
  onEvents?: (count: number) => void;
  /** Called when there is something new, when the log is another one, or could be read again after an error. */
  onChange: () => void;
  onError: (error: unknown) => void;
}

/** The log as this instance last saw it. */
export interface TailView {
  /** Rises when the log turns out to be another one: restored, or failed over to an older state. */
  generation: number;
  epoch: string;
  window: EventWindow;
  /** Up to the window's tip; null where nobody asked for it. */
  tags: TagHistory | null;
}

/**
 * Follows the event log into a window that all subscribers share. While all of them are far behind, it follows how far the
 * log goes and reads none of its events: they would leave the window before anybody comes to them.
 */
export interface LogTail {
  /** Null before the first read and after `forget`. */
  readonly view: TailView | null;
  /** Whether the last look at the log failed. */
  readonly failing: boolean;
  /** Why a look at the log failed last. */
  readonly lastError: unknown;
  /** Reads to the tip; joins a read under way, which then looks once more. Errors go to `onError`. */
  read: () => Promise<void>;
  /** Follows the tags of jobs too, from the next read on and until `forget`: all events are then read, whoever keeps up. */
  followTags: () => void;
  /** Says that a read elsewhere failed: looks again soon, and tells when it works. */
  reportFailure: (error: unknown) => void;
  /** Drops the window: one that is not fed soon tells nothing. */
  forget: () => void;
  stop: () => Promise<void>;
}

const READ_LIMIT = 1_000;
const RETRY_AFTER_ERROR_MS = 1_000;

export function createLogTail(options: LogTailOptions): LogTail {
  const { db, pollIntervalMs, windowCapacity, isWanted, onEvents, onChange, onError } = options;
  let view: TailView | null = null;
  let generation = 0;
  let failing = false;
  let lastError: unknown;
  /** A subscriber's own read failed; it waits to hear that the log can be read. */
  let isRecoveryAwaited = false;
  let areTagsWanted = false;
  let reading: Promise<void> | null = null;
  let isAskedAgain = false;
  let stopped = false;
  let timer: NodeJS.Timeout | undefined;

  function read(): Promise<void> {
    if (reading) isAskedAgain = true;
    else reading = readUntilNobodyAsks();
    return reading;
  }

  async function readUntilNobodyAsks(): Promise<void> {
    try {
      do {
        isAskedAgain = false;
        await readToTip();
      } while (wasAskedAgain());
    } catch (error) {
      fail(error);
    }
    // In the same turn as the last look at the flag: who asks from now on begins a read of their own.
    reading = null;
    rest();
  }

  function fail(error: unknown): void {
    failing = true;
    lastError = error;
    onError(error);
  }

  function wasAskedAgain(): boolean {
    return isAskedAgain;
  }

  async function readToTip(): Promise<void> {
    const isRecovery = failing || isRecoveryAwaited;
    isRecoveryAwaited = false;
    let current = view ?? show(await readEventLogState(db));
    // Asked once: of thousands that come together, nobody can have read any before the last is here.
    const { isKeptUpWith } = current.window;
    for (;;) {
      // Before the log is read on: what the snapshot is behind of is then among the events that follow.
      if (areTagsWanted) current.tags ??= createTagHistory(await readTagSnapshot(db));
      const isReadAlong = isKeptUpWith || current.tags !== null;
      const { state, events } = isReadAlong
        ? await readLog(db, current.window.tip, READ_LIMIT)
        : { state: await readEventLogState(db), events: [] };
      // Asked with each read, not only after an error: a failover while all connections rest raises none.
      if (isAnotherLog(current, state)) {
        generation += 1;
        current = show(state);
        onChange();
        continue;
      }
      const added = isReadAlong ? events.length : Number(state.tip - current.window.tip);
      if (isReadAlong) current.window.append(events);
      else current.window.skipTo(state.tip);
      current.tags?.follow(events, state.prunedThrough);
      onEvents?.(added);
      if (added > 0) onChange();
      if (events.length < READ_LIMIT) break;
    }
    // A read elsewhere that has failed since is told by the next look, which it has asked for.
    failing = isRecoveryAwaited;
    if (isRecovery) onChange();
  }

  function isAnotherLog({ epoch, window }: TailView, state: EventLogState): boolean {
    return epoch !== state.epoch || window.tip > state.tip;
  }

  function show({ epoch, tip }: EventLogState): TailView {
    view = { generation, epoch, window: createEventWindow(tip, windowCapacity), tags: null };
    return view;
  }

  function rest(): void {
    clearTimeout(timer);
    if (stopped || !isWanted()) return;
    const waitMs = failing ? Math.min(RETRY_AFTER_ERROR_MS, pollIntervalMs) : pollIntervalMs;
    timer = setTimeout(() => void read(), waitMs);
    timer.unref();
  }

  return {
    get view() {
      return view;
    },
    get failing() {
      return failing;
    },
    get lastError() {
      return lastError;
    },
    read,
    followTags() {
      areTagsWanted = true;
    },
    reportFailure(error) {
      isRecoveryAwaited = true;
      fail(error);
      if (reading) isAskedAgain = true;
      else rest();
    },
    forget() {
      clearTimeout(timer);
      view = null;
      areTagsWanted = false;
    },
    async stop() {
      stopped = true;
      clearTimeout(timer);
      await reading;
    },
  };
}
