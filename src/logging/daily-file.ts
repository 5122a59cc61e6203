import fs from 'node:fs';
import { join } from 'node:path';
import DailyRotateFile from 'winston-daily-rotate-file';

/** The key under which winston's transports expect the finished line. */
const MESSAGE = Symbol.for('message');
const DAY_MS = 86_400_000;

/** A file of one day that is open, and changes to the next day's by itself. */
export interface DailyFile {
  /** @throws where the next day's file is due and its folder can neither be found nor made */
  write: (line: string) => void;
  /** Bytes that were taken and are not on their way to the disk yet. */
  pendingBytes: () => number;
  /** Where lines go now; `undefined` until the file was opened. */
  path: () => string | undefined;
  close: () => void;
}

/** What an open file tells its owner. */
export interface DailyFileEvents {
  /** Some bytes have been written; also called when the last ones were. */
  onWritten: () => void;
  /** These were taken, and could not be written after all. */
  onRefused: (lines: readonly string[]) => void;
  /** Nothing can be written any more; the file has to be opened anew. */
  onError: (error: Error) => void;
}

/**
 * Opens `<name>-<date>.log` in a folder, which is made if missing. Dates are UTC like the timestamps inside, so that
 * no day is doubled or missing where clocks change. Files older than `keepDays` that it made are removed when a new
 * day begins.
 *
 * The lines of one turn of the event loop are written together: with each write the transport works out the date anew, which
 * takes longer than all else that a line takes. Those of the turn in which a day ends may be in the file of the next one.
 *
 * @throws where the folder cannot be made
 */
export function openDailyFile(
  dir: string,
  name: string,
  keepDays: number,
  events: DailyFileEvents,
): DailyFile {
  let pendingBytes = 0;
  let path: string | undefined;
  let gathered: string[] = [];
  let day = today();
  const auditFile = join(dir, `.${name}-audit.json`);

  fs.mkdirSync(dir, { recursive: true });
  removeBrokenAudit(auditFile);
  const file = new DailyRotateFile({
    dirname: dir,
    filename: `${name}-%DATE%.log`,
    datePattern: 'YYYY-MM-DD',
    utc: true,
    eol: '\n',
    maxFiles: `${keepDays}d`,
    // Named here, since the default name changes with every option: the list of old files would be lost with it.
    auditFile,
    options: {
      flags: 'a',
      fs: watchedFs({
        opened: (opened) => (path = opened),
        written: (bytes) => {
          pendingBytes -= bytes;
          events.onWritten();
        },
      }),
    },
  });
  // The transport listens to no error of the stream beneath it, and an error that nobody listens to ends the process.
  file.logStream.on('error', (error: Error) => {
    events.onError(error);
  });

  function put(lines: string): void {
    file.log?.({ [MESSAGE]: lines }, () => undefined);
  }

  function putGathered(): void {
    const lines = gathered;
    gathered = [];
    if (lines.length === 0) return;
    try {
      put(lines.join('\n'));
    } catch (error) {
      events.onRefused(lines);
      throw error;
    }
  }

  function tryToPutGathered(): void {
    try {
      putGathered();
    } catch (error) {
      events.onError(error instanceof Error ? error : new Error(String(error)));
    }
  }

  return {
    write(line) {
      pendingBytes += Buffer.byteLength(line) + 1;
      // Not gathered: whoever writes is to know whether the next day's file could be opened.
      if (day !== today()) {
        putGathered();
        put(line);
        day = today();
        return;
      }
      if (gathered.push(line) === 1) setImmediate(tryToPutGathered);
    },
    pendingBytes: () => pendingBytes,
    path: () => path,
    close() {
      tryToPutGathered();
      file.close?.();
    },
  };
}

function today(): number {
  return Math.floor(Date.now() / DAY_MS);
}

/**
 * The functions that `fs.createWriteStream` takes from its `fs` option, telling what they have done: the transport
 * itself says neither which file is open nor how much is still waiting.
 */
function watchedFs(on: { opened: (path: string) => void; written: (bytes: number) => void }): object {
  type Written = (error: NodeJS.ErrnoException | null, bytes: number, what: unknown) => void;
  const counted =
    (callback: Written): Written =>
    (error, bytes, what) => {
      if (error === null) on.written(bytes);
      callback(error, bytes, what);
    };
  return {
    open(path: string, flags: string, mode: number, callback: (error: Error | null, fd?: number) => void) {
      endTornLine(path);
      fs.open(path, flags, mode, (error, fd) => {
        if (error === null) on.opened(path);
        callback(error, fd);
      });
    },
    write(
      fd: number,
      bytes: Buffer,
      offset: number,
      length: number,
      position: number | null,
      callback: Written,
    ) {
      fs.write(fd, bytes, offset, length, position, counted(callback));
    },
    writev(fd: number, buffers: Buffer[], position: number | null, callback: Written) {
      fs.writev(fd, buffers, position, counted(callback));
    },
    close(fd: number, callback: fs.NoParamCallback) {
      fs.close(fd, callback);
    },
  };
}

/** A full disk or a killed process leaves half a line behind; what follows must not become part of it. */
function endTornLine(path: string): void {
  try {
    const fd = fs.openSync(path, 'r+');
    try {
      const { size } = fs.fstatSync(fd);
      const last = Buffer.alloc(1);
      if (size > 0 && fs.readSync(fd, last, 0, 1, size - 1) === 1 && last.toString() !== '\n') {
        fs.writeSync(fd, '\n', size);
      }
    } finally {
      fs.closeSync(fd);
    }
  } catch {
    // There is no file yet, or it cannot be written: the opening that follows finds out and tells.
  }
}

/**
 * The list of files to remove later is rewritten in place, so a full disk can leave it empty or torn. The transport
 * then keeps every file for ever, without a word; with no list at all it begins a new one.
 */
function removeBrokenAudit(auditFile: string): void {
  try {
    const audit = JSON.parse(fs.readFileSync(auditFile, 'utf8')) as { files?: unknown } | null;
    if (Array.isArray(audit?.files)) return;
  } catch (error) {
    if (!(error instanceof SyntaxError)) return;
  }
  fs.rmSync(auditFile, { force: true });
}
