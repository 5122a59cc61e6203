import winston from 'winston';
import { createConsoleTransport, type ConsoleFormat } from './console-transport.ts';
import { jsonLine, plainFields } from './entry.ts';
import { LOG_LEVELS, type LogLevel } from './level.ts';
import { keepLogFolder } from './log-folder.ts';

export interface LoggingOptions {
  readonly level: LogLevel;
  /** The folder of the five rotating files, created if missing. Without it there are no files. */
  readonly dir?: string | undefined;
  /** Whether stdout shows entries. It always shows problems with the files. */
  readonly console: boolean;
  /** Default `readable`; see `consoleFormatFor`. */
  readonly consoleFormat?: ConsoleFormat | undefined;
}

/** winston with the console and the five files as its transports. */
export interface WinstonLogger {
  isEnabled: (level: LogLevel) => boolean;
  write: (level: LogLevel, context: string, message: string, fields: Record<string, unknown>) => void;
  /** Bytes that were logged and have not left the process. */
  pendingBytes: () => number;
  /** Takes no more entries, and writes the remaining ones in the background. */
  close: () => void;
}

const LEVELS = Object.fromEntries(LOG_LEVELS.map((level, index) => [level, index]));

/** The context of entries about the files themselves. The console always shows them. */
const OWN_CONTEXT = 'Logging';

/** Opens the files and the console. It never throws for problems with them. */
export function createWinstonLogger(options: LoggingOptions): WinstonLogger {
  const { level, dir, consoleFormat = 'readable' } = options;
  const isShown = (context: string): boolean =>
    options.console || context === OWN_CONTEXT || (folder?.isBroken() ?? false);
  const onDropped = (count: number): void => {
    write('warn', OWN_CONTEXT, 'Console lines were dropped because nobody read them', { count });
  };
  const root = winston.createLogger({
    levels: LEVELS,
    level,
    format: winston.format.combine(plainFields(), winston.format.timestamp(), jsonLine()),
    transports: [createConsoleTransport(level, consoleFormat, { isShown, onDropped })],
  });
  // Without this listener, an error of a transport would be an uncaught exception of the whole process.
  root.on('error', () => undefined);

  const write: WinstonLogger['write'] = (level, context, message, fields) => {
    // One object for all. With a separate object of fields, winston would append a field `message` to the message.
    root.log({ level, context, message, fields } as winston.LogEntry);
  };
  const folder =
    dir === undefined
      ? undefined
      : keepLogFolder(root, dir, level, {
          onBroken(error) {
            const message = 'Log files cannot be written; entries go to the console alone until they can';
            write('error', OWN_CONTEXT, message, { dir, error });
          },
          onHealed(file) {
            write('info', OWN_CONTEXT, 'Log file is written again', { file });
          },
        });

  return {
    isEnabled: (asked) => LOG_LEVELS.indexOf(asked) <= LOG_LEVELS.indexOf(level),
    write,
    pendingBytes: () => (folder?.pendingBytes() ?? 0) + process.stdout.writableLength,
    close() {
      folder?.close();
      // In its first turn of the event loop, winston keeps entries until its pipes flow.
      setImmediate(() => root.close());
    },
  };
}
