import { setImmediate as nextTurn, setTimeout as delay } from 'node:timers/promises';
import type { ConsoleFormat } from './console-transport.ts';
import type { LogLevel } from './level.ts';
import { createWinstonLogger, type LoggingOptions, type WinstonLogger } from './winston-logger.ts';

export type { LoggingOptions } from './winston-logger.ts';

/** Facts beside a message. Values may be anything; credentials are masked by name, errors keep stack and cause. */
export type LogFields = Readonly<Record<string, unknown>>;

/**
 * Takes entries of one part of the program. The message is constant text, and varying values go into the fields. No
 * call ever throws or waits, in any state of disk and console.
 */
export interface Logger {
  /** Someone must act. */
  error: (message: string, fields?: LogFields) => void;
  /** Something is wrong, and the program can handle it. */
  warn: (message: string, fields?: LogFields) => void;
  info: (message: string, fields?: LogFields) => void;
  debug: (message: string, fields?: LogFields) => void;
  /** A logger that adds these fields to each entry. */
  child: (fields: LogFields) => Logger;
}

/** A disk needs less time, and a container gets more time before it is killed. */
const FLUSH_LIMIT_MS = 2000;

let target: WinstonLogger | undefined;

/**
 * Decides once per process where all loggers write, also the existing ones. Until then entries go to the console at
 * level `info`. Tests show nothing.
 */
export function configureLogging(options: LoggingOptions): void {
  target?.close();
  target = createWinstonLogger(options);
}

/** JSON lines when a production process writes to a collector; readable text when a person may read it. */
export function consoleFormatFor(
  nodeEnv: string,
  stdout: { readonly isTTY?: boolean } = process.stdout,
): ConsoleFormat {
  return nodeEnv === 'production' && stdout.isTTY !== true ? 'json' : 'readable';
}

/**
 * Waits until all entries are written, at most two seconds. Call it before the process exits, because files are
 * written in the background. Never rejects.
 */
export async function flushLogs(): Promise<void> {
  // In its first turn of the event loop, winston keeps entries until its pipes flow.
  await nextTurn();
  const endMs = performance.now() + FLUSH_LIMIT_MS;
  while ((target?.pendingBytes() ?? 0) > 0 && performance.now() < endMs) await delay(5);
}

/**
 * A logger for one part of the program.
 *
 * @param context a name such as `Planner`; it also decides whether entries go to the executions or scheduler file
 */
export function createLogger(context: string): Logger {
  return loggerWith(context, {});
}

function loggerWith(context: string, bound: LogFields): Logger {
  const at =
    (level: LogLevel) =>
    (message: string, fields?: LogFields): void => {
      log(level, context, message, bound, fields);
    };
  return {
    error: at('error'),
    warn: at('warn'),
    info: at('info'),
    debug: at('debug'),
    child: (fields) => loggerWith(context, { ...bound, ...fields }),
  };
}

function log(level: LogLevel, context: string, message: string, bound: LogFields, fields?: LogFields): void {
  try {
    target ??= createWinstonLogger({ level: 'info', console: process.env['NODE_ENV'] !== 'test' });
    if (!target.isEnabled(level)) return;
    // An error in the place of fields would lose its message and stack in a spread.
    const given = fields instanceof Error ? { error: fields } : fields;
    target.write(level, context, message, { ...bound, ...given });
  } catch {
    // The caller's work matters more than its log.
  }
}
