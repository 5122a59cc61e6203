import fs from 'node:fs';
import { APPEND, READ_AND_WRITE } from '../async/no-links.ts';

type Written = (error: NodeJS.ErrnoException | null, bytes: number, what: unknown) => void;

/** What `fs.createWriteStream` takes as its `fs` option. */
export type StreamFs = Record<'open' | 'write' | 'writev' | 'close', unknown>;

/**
 * The file functions for a write stream, which also report what they do. winston-daily-rotate-file passes them to its
 * stream, but says neither which file is open nor how many bytes are written.
 *
 * @param linkFlag whether links are followed; see `linkFlagIn`
 */
export function watchDisk(
  linkFlag: number,
  on: { opened: (path: string) => void; written: (bytes: number) => void },
): StreamFs {
  const counted =
    (callback: Written): Written =>
    (error, bytes, what) => {
      if (error === null) on.written(bytes);
      callback(error, bytes, what);
    };
  return {
    open(path: string, _flags: string, mode: number, callback: (error: Error | null, fd?: number) => void) {
      endTornLine(path, linkFlag);
      fs.open(path, APPEND | linkFlag, mode, (error, fd) => {
        if (error === null) on.opened(path);
        callback(error, fd);
      });
    },
    write(fd: number, bytes: Buffer, from: number, length: number, at: number | null, callback: Written) {
      fs.write(fd, bytes, from, length, at, counted(callback));
    },
    writev(fd: number, buffers: Buffer[], at: number | null, callback: Written) {
      fs.writev(fd, buffers, at, counted(callback));
    },
    close(fd: number, callback: fs.NoParamCallback) {
      fs.close(fd, callback);
    },
  };
}

/** A full disk or a killed process leaves an incomplete line. The next line must not become part of it. */
function endTornLine(path: string, linkFlag: number): void {
  try {
    const fd = fs.openSync(path, READ_AND_WRITE | linkFlag);
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
    // There is no file yet, or it is not writable. The next open reports that.
  }
}
