import type { WebSocket } from 'ws';

/** "Try again later": clients reconnect on it, and resume from their last cursor. */
export const SLOW_READER_CODE = 1013;
export const SLOW_READER_REASON = 'Reading too slowly: reconnect and resume from the last cursor';

/** How long a slow reader may take to receive the reason before the connection is cut. */
const CLOSE_GRACE_MS = 2_000;

/** Disconnects a client that takes in nothing for a long time while something waits for it. */
export interface StallWatch {
  /** A write begins. */
  begin: () => void;
  /** A write is handed to the operating system, or will never be. The time counts anew for what still waits. */
  end: () => void;
  /** To be called when a write could not be handed on at once. */
  watch: () => void;
  isWaiting: () => boolean;
  dispose: () => void;
}

export interface StallWatchOptions {
  slowReaderTimeoutMs: number;
  onStuck: () => void;
}

export function createStallWatch(
  socket: WebSocket,
  { slowReaderTimeoutMs, onStuck }: StallWatchOptions,
): StallWatch {
  let waiting = 0;
  let progressAtMs = 0;
  let isOver = false;
  let stuckTimer: NodeJS.Timeout | undefined;
  let cutTimer: NodeJS.Timeout | undefined;

  function disconnect(): void {
    if (socket.readyState !== socket.OPEN) return;
    onStuck();
    socket.close(SLOW_READER_CODE, SLOW_READER_REASON);
    cutTimer = setTimeout(() => {
      socket.terminate();
    }, CLOSE_GRACE_MS);
  }

  /** Looks now and then whether something was taken in: a timer for each write would cost as much as the write. */
  function lookIn(forMs: number): void {
    stuckTimer = setTimeout(() => {
      stuckTimer = undefined;
      if (waiting === 0) return;
      const leftMs = progressAtMs + slowReaderTimeoutMs - performance.now();
      if (leftMs > 0) lookIn(leftMs);
      else disconnect();
    }, forMs);
  }

  return {
    begin() {
      waiting += 1;
      if (waiting === 1) progressAtMs = performance.now();
    },
    end() {
      waiting -= 1;
      progressAtMs = performance.now();
    },
    watch() {
      if (stuckTimer === undefined && !isOver) lookIn(slowReaderTimeoutMs);
    },
    isWaiting: () => waiting > 0,
    dispose() {
      isOver = true;
      clearTimeout(stuckTimer);
      clearTimeout(cutTimer);
    },
  };
}
