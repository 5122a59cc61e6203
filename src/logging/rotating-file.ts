import { stat } from 'node:fs';
import { openDailyFile } from './daily-file.ts';
import type { DailyFile } from './daily-file.ts';
import type { LogSink } from './sink.ts';

/** Lines waiting for a disk that does not answer; beyond this they are dropped. */
const MAX_PENDING_BYTES = 8 * 1024 * 1024;
/** How soon a file that failed is tried again, at the next line after it. */
const RETRY_AFTER_MS = 10_000;
/** How often to look whether someone has deleted the open file: the system itself would go on writing into nothing. */
const LOOK_EVERY_MS = 5000;

export interface RotatingFileOptions {
  readonly dir: string;
  readonly name: string;
  readonly keepDays: number;
  readonly now: () => number;
  /** Lines were taken, and could not be written after all. */
  readonly onRefused: (lines: readonly string[]) => void;
  /** The file cannot be written; told once, until {@link onHealed}. */
  readonly onBroken: (error: Error) => void;
  /** The file is written again. @param dropped the lines that were refused meanwhile */
  readonly onHealed: (dropped: number) => void;
}

/**
 * A daily file that survives what happens to disks: a full one, a folder that was deleted or cannot be written, a
 * disk that hangs. While it is in trouble it refuses lines, and tries again every ten seconds.
 */
export function createRotatingFile(options: RotatingFileOptions): LogSink {
  const { dir, name, keepDays, now } = options;
  const waiting = new Set<() => void>();
  let current: DailyFile | undefined;
  let broken = false;
  let closed = false;
  let dropped = 0;
  let retryAt = -Infinity;
  let lookAt = now() + LOOK_EVERY_MS;

  function open(): DailyFile | undefined {
    if (closed || now() < retryAt) return undefined;
    try {
      const opened: DailyFile = openDailyFile(dir, name, keepDays, {
        onWritten: () => {
          if (opened === current) wrote(opened);
        },
        onRefused: (lines) => {
          dropped += lines.length;
          options.onRefused(lines);
        },
        onError: (error) => {
          if (opened === current) fail(error);
        },
      });
      return (current = opened);
    } catch (error) {
      fail(error instanceof Error ? error : new Error(String(error)));
      return undefined;
    }
  }

  function fail(error: Error): void {
    current = undefined;
    retryAt = now() + RETRY_AFTER_MS;
    wakeWaiting();
    breakDown(error);
  }

  function breakDown(error: Error): void {
    if (broken) return;
    broken = true;
    options.onBroken(error);
  }

  function wrote(file: DailyFile): void {
    if (file.pendingBytes() <= 0) wakeWaiting();
    if (!broken || file.pendingBytes() > MAX_PENDING_BYTES / 2) return;
    broken = false;
    options.onHealed(dropped);
    dropped = 0;
  }

  function wakeWaiting(): void {
    for (const wake of waiting) wake();
    waiting.clear();
  }

  function lookWhetherDeleted(file: DailyFile): void {
    const path = file.path();
    if (path === undefined || now() < lookAt) return;
    lookAt = now() + LOOK_EVERY_MS;
    stat(path, (error) => {
      if (error?.code !== 'ENOENT' || file !== current) return;
      file.close();
      current = undefined;
      wakeWaiting();
    });
  }

  function write(line: string): boolean {
    const file = current ?? open();
    const taken = file !== undefined && writeTo(file, line);
    if (!taken) dropped += 1;
    return taken;
  }

  function writeTo(file: DailyFile, line: string): boolean {
    if (file.pendingBytes() > MAX_PENDING_BYTES) {
      breakDown(new Error('The disk does not take the lines as fast as they come'));
      return false;
    }
    lookWhetherDeleted(file);
    try {
      file.write(line);
      return true;
    } catch (error) {
      fail(error instanceof Error ? error : new Error(String(error)));
      return false;
    }
  }

  // At once, so that a folder that cannot be written is reported at start and not with the first error of the night.
  open();

  return {
    write,
    flush: () =>
      new Promise((resolve) => {
        if (current === undefined || current.pendingBytes() <= 0) resolve();
        else waiting.add(resolve);
      }),
    close() {
      closed = true;
      current?.close();
      current = undefined;
      wakeWaiting();
    },
  };
}
