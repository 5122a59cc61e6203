import type { Duplex } from 'node:stream';
import type { WebSocket } from 'ws';
import { createLimiter, type Limiter } from '../../async/limiter.ts';
import { BATCH_BYTES, MAX_BATCHES_AT_ONCE, MAX_BUFFERED_BYTES, MAX_HELD_BYTES } from '../limits/limits.ts';
import { createStallWatch, type StallWatchOptions } from './stall-watch.ts';

const NOTHING = Buffer.alloc(0);
const AS_TEXT = { binary: false };

export interface ReaderWatch {
  /**
   * Sends a message; resolves once it is handed to the operating system, which is how backpressure reaches the source.
   * On a socket that is closing it resolves when the socket is closed: resolving at once would let an operation run
   * through its source without pause, and the event that ends it would never get its turn.
   */
  send: (data: string) => Promise<void>;
  /**
   * Sends results of one subscription in one write; null where the operating system takes them at once, as nearly always, else
   * whether the socket is still there.
   */
  sendResults: (messages: readonly Buffer[]) => Promise<boolean> | null;
  /** Limits the results that are being made to what the client has room for: see {@link MAX_BATCHES_AT_ONCE}. */
  turns: Pick<Limiter, 'enter' | 'leave'>;
  ping: () => void;
  /** Whether anything waits for the client to read on. While it does, missing pongs mean nothing. */
  isBehind: () => boolean;
  /** Call it when the socket is closed and its operations end. */
  dispose: () => void;
}

/**
 * Bounds what one client can make the server hold. Messages wait for the client one per operation, since an operation
 * takes its next result only after `send` resolved, and while much waits, no further result is made for it, however many
 * operations there are. Nothing more is read from the client then either, since each message may earn an answer. A client
 * that takes in nothing for a long time is disconnected.
 */
export function watchReader(socket: WebSocket, connection: Duplex, options: StallWatchOptions): ReaderWatch {
  let tellGone: (isSent: false) => void = () => undefined;
  let isGone = false;
  let largestBytes: number | null = null;
  const stalls = createStallWatch(socket, options);
  const turns = createLimiter(MAX_BATCHES_AT_ONCE, hasRoom);
  const gone = new Promise<false>((resolve) => (tellGone = resolve));

  /**
   * Room by the largest that was sent so far: how large results will be is known only when they are there. Until the first
   * one is, each is made alone.
   */
  function hasRoom(underWay: number): boolean {
    const { bufferedAmount } = socket;
    if (isGone || bufferedAmount + underWay === 0) return true;
    if (largestBytes === null) return false;
    return (
      bufferedAmount <= MAX_BUFFERED_BYTES && bufferedAmount + (underWay + 1) * largestBytes <= MAX_HELD_BYTES
    );
  }

  /** Runs one write, which calls back once the operating system has it, or when the socket is gone. */
  function write(
    start: (written: (error?: Error | null) => void) => void,
    done: (error?: Error | null) => void,
  ): void {
    stalls.begin();
    start((error) => {
      stalls.end();
      if (socket.isPaused && socket.bufferedAmount <= MAX_BUFFERED_BYTES) socket.resume();
      turns.goOn();
      done(error);
    });
    const { bufferedAmount } = socket;
    if (bufferedAmount > 0) stalls.watch();
    if (bufferedAmount > MAX_BUFFERED_BYTES) socket.pause();
  }

  /** Resolves with whether it was sent. */
  function sendBy(start: (written: (error?: Error | null) => void) => void): Promise<boolean> {
    if (socket.readyState !== socket.OPEN) return gone;
    return new Promise((resolve) => {
      write(start, (error) => {
        resolve(error ? gone : true);
      });
    });
  }

  return {
    async send(data) {
      await sendBy((written) => {
        socket.send(data, written);
      });
    },
    sendResults(messages) {
      const bytes = messages.reduce((sum, { length }) => sum + length, 0);
      largestBytes = Math.max(largestBytes ?? BATCH_BYTES, bytes);
      if (socket.readyState !== socket.OPEN) return gone;
      connection.cork();
      for (const message of messages) socket.send(message, AS_TEXT);
      connection.uncork();
      if (socket.bufferedAmount === 0 && !connection.destroyed) return null;
      // Written behind the messages, and so no sooner.
      return sendBy((written) => {
        connection.write(NOTHING, written);
      });
    },
    turns,
    ping() {
      if (socket.readyState !== socket.OPEN) return;
      write(
        (written) => {
          socket.ping(undefined, false, written);
        },
        () => undefined,
      );
    },
    isBehind: stalls.isWaiting,
    dispose() {
      stalls.dispose();
      tellGone(false);
      isGone = true;
      turns.goOn();
    },
  };
}
