import { readEventLogState, readEvents, type EventLogState } from '../store/event-log.ts';
import type { Queryable } from '../store/sql.ts';
import { createEventWindow, type EventWindow } from './event-window.ts';

export interface LogTailOptions {
  db: Queryable;
  /** How often the log is looked at when no wake-up comes. */
  pollIntervalMs: number;
  windowCapacity: number;
  /** Whether anybody would read what is tailed. */
  isWanted: () => boolean;
  /** Called when there is something new, or when the log could be read again after an error. */
  onChange: () => void;
  onError: (error: unknown) => void;
}

/** The log as this instance last saw it. */
export interface TailView {
  epoch: string;
  window: EventWindow;
}

/** Follows the event log into a window that all subscribers share. */
export interface LogTail {
  /** Null before the first read and after `forget`. */
  readonly view: TailView | null;
  /** Rises when the log turns out to be another one: restored, or failed over to an older state. */
  readonly generation: number;
  /** Whether the last look at the log failed. */
  readonly failing: boolean;
  /** Reads to the tip; joins a read under way, which then looks once more. Errors go to `onError`. */
  read: () => Promise<void>;
  /** Says that a read elsewhere failed: looks again soon, and tells when it works. */
  reportFailure: (error: unknown) => void;
  /** Drops the window: one that is not fed soon tells nothing. */
  forget: () => void;
  stop: () => Promise<void>;
}

const READ_LIMIT = 1_000;
const RETRY_AFTER_ERROR_MS = 1_000;

export function createLogTail(options: LogTailOptions): LogTail {
  const { db, pollIntervalMs, windowCapacity, isWanted, onChange, onError } = options;
  let view: TailView | null = null;
  let knownEpoch: string | null = null;
  let generation = 0;
  let failing = false;
  /** A subscriber's own read failed; it waits to hear that the log can be read. */
  let isRecoveryAwaited = false;
  let reading: Promise<void> | null = null;
  let readAgain = false;
  let stopped = false;
  let timer: NodeJS.Timeout | undefined;

  function read(): Promise<void> {
    if (reading) {
      readAgain = true;
      return reading;
    }
    reading = readToTip()
      .catch((error: unknown) => {
        failing = true;
        onError(error);
      })
      .finally(() => {
        reading = null;
        // A wake-up that came after the last look, but before this line, must not wait for the next poll.
        if (readAgain && !failing && !stopped) void read();
        else rest();
      });
    return reading;
  }

  async function readToTip(): Promise<void> {
    do {
      readAgain = false;
      const recovering = failing;
      // After an error the database may be another one.
      const current = view !== null && !recovering ? view : reconcile(await readEventLogState(db));
      await drain(current.window);
      failing = false;
      if (recovering || isRecoveryAwaited) onChange();
      isRecoveryAwaited = false;
    } while (takeReadAgain());
  }

  function takeReadAgain(): boolean {
    return readAgain;
  }

  async function drain(window: EventWindow): Promise<void> {
    for (;;) {
      const events = await readEvents(db, window.tip, READ_LIMIT);
      if (events.length > 0) {
        window.append(events);
        onChange();
      }
      if (events.length < READ_LIMIT) return;
    }
  }

  function reconcile(state: EventLogState): TailView {
    if (view !== null && view.epoch === state.epoch && view.window.tip <= state.tip) return view;
    const isAnotherLog = view !== null || (knownEpoch !== null && knownEpoch !== state.epoch);
    if (isAnotherLog) generation += 1;
    knownEpoch = state.epoch;
    view = { epoch: state.epoch, window: createEventWindow(state.tip, windowCapacity) };
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
    get generation() {
      return generation;
    },
    get failing() {
      return failing;
    },
    read,
    reportFailure(error) {
      failing = true;
      isRecoveryAwaited = true;
      onError(error);
      if (reading) readAgain = true;
      else rest();
    },
    forget() {
      clearTimeout(timer);
      view = null;
    },
    async stop() {
      stopped = true;
      clearTimeout(timer);
      await reading;
    },
  };
}
