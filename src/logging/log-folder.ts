import { stat } from 'node:fs';
import type winston from 'winston';
import { LOG_LEVELS, type LogLevel } from './level.ts';
import { LOG_FILES, type LogFile } from './log-files.ts';
import { LogFileTransport } from './log-file-transport.ts';

/** How often to look whether a file has to be opened anew: it failed, or somebody has deleted it. */
const LOOK_EVERY_MS = 5000;

export interface LogFolder {
  /** Whether the file that holds everything cannot be written at the moment. */
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
 * Keeps the five files of a folder among the transports of a winston logger. A file in trouble (a full disk, a folder
 * that was deleted or cannot be written, a disk that hangs) is taken out, and opened anew every five seconds.
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
    // One disk, five files: the first to fail speaks for all.
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

  /** The system itself would go on writing into a file that was deleted. */
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

  // At once, so that a folder that cannot be written is reported at start and not with the first error of the night.
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
