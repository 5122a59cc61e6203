import type { Writable } from 'node:stream';
import type { LogSink } from './sink.ts';

/** Where nobody reads the other end of a pipe, Node keeps what is written in memory; beyond this, lines are dropped. */
const MAX_UNREAD_BYTES = 1024 * 1024;

const gone = new WeakSet<NodeJS.WritableStream>();
const guarded = new WeakSet<NodeJS.WritableStream>();

/** The part of `process.stdout` that is used here. */
export type ConsoleStream = NodeJS.WritableStream &
  Pick<Writable, 'writableLength' | 'writableCorked' | 'cork' | 'uncork'>;

/**
 * Keeps a failing stdout or stderr from ending the process: without a listener, the `error` event of a pipe whose
 * reader went away, or of a file on a full disk, is an uncaught exception.
 */
export function guardStream(stream: NodeJS.WritableStream): void {
  if (guarded.has(stream)) return;
  guarded.add(stream);
  stream.on('error', (error: NodeJS.ErrnoException) => {
    // A full disk may have room again; a reader that went away (EIO: a terminal that was closed) never comes back.
    if (error.code !== 'ENOSPC' && error.code !== 'EAGAIN') gone.add(stream);
  });
}

/**
 * Writes lines to a stream such as `process.stdout`, which may be a terminal, a file or a pipe that nobody reads.
 *
 * @param describeDropped makes the line that tells how many lines had to be dropped before it
 */
export function createConsoleSink(
  stream: ConsoleStream,
  describeDropped: (count: number) => string,
): LogSink {
  let dropped = 0;
  guardStream(stream);

  /** What is logged in one go, such as the ends of a batch of attempts, is one write to the operating system. */
  function gather(): void {
    if (stream.writableCorked > 0) return;
    stream.cork();
    process.nextTick(() => {
      stream.uncork();
    });
  }

  function write(line: string): boolean {
    if (gone.has(stream)) return false;
    if (stream.writableLength > MAX_UNREAD_BYTES) {
      dropped += 1;
      return false;
    }
    gather();
    const notice = dropped > 0 ? `${describeDropped(dropped)}\n` : '';
    dropped = 0;
    try {
      stream.write(`${notice}${line}\n`);
      return true;
    } catch {
      return false;
    }
  }

  return {
    write,
    flush: () =>
      new Promise((resolve) => {
        if (gone.has(stream) || stream.writableLength === 0) resolve();
        else
          stream.write('', () => {
            resolve();
          });
      }),
    close: () => undefined,
  };
}
