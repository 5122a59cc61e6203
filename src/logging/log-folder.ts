import { stat } from 'node:fs';
import type winston from 'winston';
import { LOG_LEVELS, type LogLevel } from './level.ts';
import { LOG_FILES, type LogFile } from './log-files.ts';
import { LogFileTransport } from './log-file-transport.ts';

/** How often to check whether a file must be opened again, because it failed or was deleted. */
const LOOK_EVERY_MS = 5000;

export interface LogFolder {
  /** Whether the file with all entries cannot be written now. */
  isBroken: () => boolean;
  /** Bytes that were logged and are not written yet. */
  pendingBytes: () => number;
  close: () => void;
}

export interface LogFolderEvents {
  onBroken: (error: Error) => void;
  onHealed: (file: string) => void;
}

/**
 * Keeps the five files of a folder among the transports of a winston logger. It removes a failing file: the disk is
 * full or hangs, or the folder is deleted or not writable. It tries to open the file again every five seconds.
 */
export function keepLogFolder(
  root: winston.Logger,
  dir: string,
  level: LogLevel,
  { onBroken, onHealed }: LogFolderEvents,
): LogFolder {
  const open = new Map<LogFile, LogFileTransport>();
  const broken = new Set<LogFile>();

  function breakDown(file: LogFile, error: Error): void {
    // All files are on one disk, so one report is enough for all five.
    const isFirst = broken.size === 0;
    broken.add(file);
    if (isFirst) onBroken(error);
  }

  function heal(file: LogFile): void {
    if (broken.delete(file)) onHealed(file.name);
  }

  function openFile(file: LogFile): void {
    try {
      const transport: LogFileTransport = new LogFileTransport(dir, file, lessVerbose(file.level, level), {
        onWritten: () => {
          heal(file);
        },
        onDropped: () => {
          breakDown(file, new Error('The disk does not take the lines as fast as they come'));
        },
        onError: (error) => {
          closeFile(file, transport);
          breakDown(file, error);
        },
      });
      open.set(file, transport);
      root.add(transport);
    } catch (error) {
      breakDown(file, error instanceof Error ? error : new Error(String(error)));
    }
  }

  function closeFile(file: LogFile, transport: LogFileTransport): void {
    if (open.get(file) === transport) open.delete(file);
    root.remove(transport);
  }

  /** Without this, the operating system would keep writing into the deleted file. */
  function reopenIfDeleted(file: LogFile, transport: LogFileTransport): void {
    if (transport.path === undefined) return;
    stat(transport.path, (error) => {
      if (error?.code !== 'ENOENT' || open.get(file) !== transport) return;
      closeFile(file, transport);
      openFile(file);
    });
  }

  function look(): void {
    for (const file of LOG_FILES) {
      const transport = open.get(file);
      if (transport === undefined) openFile(file);
      else reopenIfDeleted(file, transport);
    }
  }

  // The files open at once, so a start reports a folder that is not writable.
  for (const file of LOG_FILES) openFile(file);
  const timer = setInterval(look, LOOK_EVERY_MS).unref();
  return {
    isBroken: () => [...broken].some((file) => file.name === 'all'),
    pendingBytes: () => [...open.values()].reduce((sum, { pendingBytes }) => sum + pendingBytes, 0),
    close() {
      clearInterval(timer);
    },
  };
}

function lessVerbose(one: LogLevel, other: LogLevel): LogLevel {
  return LOG_LEVELS.indexOf(one) < LOG_LEVELS.indexOf(other) ? one : other;
}
