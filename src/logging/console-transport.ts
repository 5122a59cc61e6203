import winston from 'winston';
import { asEntry } from './entry.ts';
import type { LogLevel } from './level.ts';
import { formatReadable } from './readable.ts';

/** How the console shows entries: for a person or for a log collector. */
export type ConsoleFormat = 'readable' | 'json';

/** When nobody reads the other end of a pipe, Node keeps the lines in memory. Beyond this limit lines are dropped. */
const MAX_UNREAD_BYTES = 1024 * 1024;

const guarded = new WeakSet<NodeJS.WritableStream>();

/**
 * winston's console, for a stdout that may be a terminal, a file or a pipe that nobody reads.
 *
 * @param on tells whether the console shows a part's entries now, and takes the number of dropped entries
 */
export function createConsoleTransport(
  level: LogLevel,
  shownAs: ConsoleFormat,
  on: { isShown: (context: string) => boolean; onDropped: (count: number) => void },
): winston.transport {
  ignoreErrors(process.stdout);
  ignoreErrors(process.stderr);
  const isColored = process.stdout.isTTY && !process.env['NO_COLOR'];
  const chosen = winston.format((info) => on.isShown(asEntry(info).context) && info);
  const readable = winston.format.printf((info) => formatReadable(asEntry(info), isColored));
  const formats = [chosen(), dropUnread(on.onDropped), ...(shownAs === 'readable' ? [readable] : [])];
  return new winston.transports.Console({ level, eol: '\n', format: winston.format.combine(...formats) });
}

/**
 * A winston format. It drops the entries that stdout would keep in memory, and reports their number with the next
 * entry.
 */
function dropUnread(onDropped: (count: number) => void): winston.Logform.Format {
  let dropped = 0;
  return winston.format((info) => {
    if (process.stdout.writableLength > MAX_UNREAD_BYTES) {
      dropped += 1;
      return false;
    }
    const count = dropped;
    dropped = 0;
    if (count > 0) onDropped(count);
    return info;
  })();
}

/**
 * Keeps a failing stdout or stderr from ending the process. Without a listener, their `error` event is an uncaught
 * exception. It comes when the reader of a pipe goes away or the disk of a file is full.
 */
function ignoreErrors(stream: NodeJS.WritableStream): void {
  if (guarded.has(stream)) return;
  guarded.add(stream);
  stream.on('error', () => undefined);
}
