import { createLogView, type LogViewOptions, type TailView } from './log-view.ts';

export interface LogTailOptions extends LogViewOptions {
  /** How often the log is looked at when no wake-up comes. */
  pollIntervalMs: number;
  /** Whether anybody would read what is tailed. */
  isWanted: () => boolean;
  /** Called when there is something new, when the log is another one, or could be read again after an error. */
  onChange: () => void;
  onError: (error: unknown) => void;
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
  /** Follows the tags of jobs too, from the next read on and until `forget`: all events are then read, even if every subscriber keeps up. */
  followTags: () => void;
  /** Says that a read elsewhere failed: looks again soon, and tells when it works. */
  reportFailure: (error: unknown) => void;
  /** Drops the window: one that is not fed soon tells nothing. */
  forget: () => void;
  stop: () => Promise<void>;
}

const RETRY_AFTER_ERROR_MS = 1_000;

export function createLogTail(options: LogTailOptions): LogTail {
  const { pollIntervalMs, isWanted, onChange, onError } = options;
  const view = createLogView(options);
  let failing = false;
  let lastError: unknown;
  /** A subscriber's own read failed; it waits to hear that the log can be read. */
  let isRecoveryAwaited = false;
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
    await view.readToTip();
    // A read elsewhere that has failed since has asked for the next look, which reports it.
    failing = isRecoveryAwaited;
    if (isRecovery) onChange();
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
      return view.current;
    },
    get failing() {
      return failing;
    },
    get lastError() {
      return lastError;
    },
    read,
    followTags: view.followTags,
    reportFailure(error) {
      isRecoveryAwaited = true;
      fail(error);
      if (reading) isAskedAgain = true;
      else rest();
    },
    forget() {
      clearTimeout(timer);
      view.forget();
    },
    async stop() {
      stopped = true;
      clearTimeout(timer);
      await reading;
    },
  };
}
