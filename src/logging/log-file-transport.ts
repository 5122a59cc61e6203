import fs from 'node:fs';
import { join } from 'node:path';
import type winston from 'winston';
import DailyRotateFile from 'winston-daily-rotate-file';
import { linkFlagIn } from '../async/no-links.ts';
import { makeFolder } from '../async/usable-folder.ts';
import { asEntry } from './entry.ts';
import type { LogLevel } from './level.ts';
import type { LogFile } from './log-files.ts';
import { watchDisk } from './watched-disk.ts';

/** winston keeps the finished line of an entry under this key. */
const MESSAGE = Symbol.for('message');
/** Lines that wait for a disk that does not answer. Beyond this they are dropped. */
const MAX_PENDING_BYTES = 8 * 1024 * 1024;

export interface LogFileEvents {
  /** The disk has taken bytes, and less than half of the limit waits. */
  onWritten: () => void;
  /** A line was dropped because too many wait for the disk. */
  onDropped: () => void;
  /** This transport writes nothing more. A new one must replace it. */
  onError: (error: Error) => void;
}

/**
 * Writes `<name>-<date>.log` in a folder and creates the folder if it is missing. The date is UTC, like the
 * timestamps inside, so a clock change neither doubles nor skips a day. A new day removes files that are older than
 * `keepDays`.
 *
 * winston-daily-rotate-file does the work. This class adds three things. It listens to the errors of the inner
 * stream, which would end the process. It limits the lines that wait for the disk. It ends only when all is written.
 *
 * @throws when it cannot create the folder
 */
export class LogFileTransport extends DailyRotateFile {
  readonly #file: LogFile;
  readonly #events: LogFileEvents;
  #path: string | undefined;
  #pendingBytes = 0;

  constructor(dir: string, file: LogFile, level: LogLevel, events: LogFileEvents) {
    makeFolder(dir);
    // A fixed name. The default name changes with every option, and a new name would lose the list of old files.
    const auditFile = join(dir, `.${file.name}-audit.json`);
    const linkFlag = linkFlagIn(dir);
    removeBrokenAudit(auditFile, linkFlag);
    super({
      level,
      dirname: dir,
      filename: `${file.name}-%DATE%.log`,
      datePattern: 'YYYY-MM-DD',
      utc: true,
      eol: '\n',
      maxFiles: `${file.keepDays}d`,
      auditFile,
      options: {
        flags: 'a',
        fs: watchDisk(linkFlag, {
          opened: (path) => (this.#path = path),
          written: (bytes) => {
            this.#pendingBytes -= bytes;
            if (this.#pendingBytes < MAX_PENDING_BYTES / 2) events.onWritten();
          },
        }),
      },
    });
    this.#file = file;
    this.#events = events;
    this.logStream.on('error', events.onError);
  }

  /** Where lines go now; `undefined` until the file is open. */
  get path(): string | undefined {
    return this.#path;
  }

  get pendingBytes(): number {
    return this.#pendingBytes;
  }

  override log(info: winston.Logform.TransformableInfo, done: () => void): void {
    try {
      if (this.#file.takes(asEntry(info))) this.#put(info);
    } catch (error) {
      // The folder of the next day's file does not exist and cannot be created.
      this.#events.onError(error instanceof Error ? error : new Error(String(error)));
    } finally {
      // Without this, winston passes no further entry on.
      done();
    }
  }

  #put(info: winston.Logform.TransformableInfo): void {
    if (this.#pendingBytes > MAX_PENDING_BYTES) {
      this.#events.onDropped();
      return;
    }
    this.#pendingBytes += Buffer.byteLength(String(info[MESSAGE])) + 1;
    super.log?.(info, () => undefined);
  }
}

/**
 * The list of files to remove later is rewritten in place, so a full disk can leave it empty or incomplete. The
 * transport then silently keeps every file for ever. Without a list it begins a new one. Where links are not to be
 * followed, a link in its place goes too.
 */
function removeBrokenAudit(auditFile: string, linkFlag: number): void {
  if (linkFlag === 0 || !isLink(auditFile)) {
    try {
      const audit = JSON.parse(fs.readFileSync(auditFile, 'utf8')) as { files?: unknown } | null;
      if (Array.isArray(audit?.files)) return;
    } catch (error) {
      if (!(error instanceof SyntaxError)) return;
    }
  }
  fs.rmSync(auditFile, { force: true });
}

function isLink(path: string): boolean {
  return fs.lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink() ?? false;
}
