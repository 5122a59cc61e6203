import type { ConsoleStream } from './console-sink.ts';
import type { LogEntry } from './entry.ts';
import type { LogLevel } from './level.ts';
import { createPipeline } from './pipeline.ts';
import type { ConsoleFormat, Pipeline } from './pipeline.ts';
import { toPlainValue } from './plain-value.ts';

/** Facts beside a message. Values may be anything; credentials are masked by name, errors keep stack and cause. */
export type LogFields = Readonly<Record<string, unknown>>;

/**
 * Takes entries of one part of the program. The message is constant text, what varies goes into the fields. No call
 * ever throws or waits, whatever state disk and console are in.
 */
export interface Logger {
  /** Someone must act. */
  error: (message: string, fields?: LogFields) => void;
  /** Something is not as it should be, and the program helps itself. */
  warn: (message: string, fields?: LogFields) => void;
  info: (message: string, fields?: LogFields) => void;
  debug: (message: string, fields?: LogFields) => void;
  /** A logger that adds these fields to each entry. */
  child: (fields: LogFields) => Logger;
}

export interface LoggingOptions {
  readonly level: LogLevel;
  /** Folder of the five rotating files, made if missing; without it, no files are written. */
  readonly dir?: string | undefined;
  /** Whether entries are shown on stdout. */
  readonly console: boolean;
  /** Default `readable`; see {@link consoleFormatFor}. */
  readonly consoleFormat?: ConsoleFormat | undefined;
  readonly now?: () => number;
  /** For tests: what stands for the console. */
  readonly stdout?: ConsoleStream & { readonly isTTY?: boolean };
}

/** Longer than a disk needs, and short against the time in which a stopped container is killed. */
const FLUSH_LIMIT_MS = 2000;

let now: () => number = Date.now;
let pipeline: Pipeline | undefined;

/**
 * Decides, once per process, where all loggers write, those that exist already included. Until then entries go to the
 * console at level `info`, except in tests, where nothing is shown.
 */
export function configureLogging(options: LoggingOptions): void {
  const { level, dir, console, consoleFormat = 'readable', stdout = process.stdout } = options;
  pipeline?.close();
  now = options.now ?? Date.now;
  const colored = stdout.isTTY === true && consoleFormat === 'readable' && !process.env['NO_COLOR'];
  pipeline = createPipeline({ level, dir, console, consoleFormat, colored, stdout, now });
}

/** JSON lines where a production process writes to a collector, and text wherever a person may be reading. */
export function consoleFormatFor(
  nodeEnv: string,
  stdout: { readonly isTTY?: boolean } = process.stdout,
): ConsoleFormat {
  return nodeEnv === 'production' && stdout.isTTY !== true ? 'json' : 'readable';
}

/**
 * Waits until what was logged is written, but at most two seconds: to be called before the process exits, since files
 * are written in the background. Never rejects.
 */
export async function flushLogs(): Promise<void> {
  if (pipeline === undefined) return;
  let timer: NodeJS.Timeout | undefined;
  const limit = new Promise<void>((resolve) => (timer = setTimeout(resolve, FLUSH_LIMIT_MS)));
  await Promise.race([pipeline.flush(), limit]);
  clearTimeout(timer);
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
    const target = (pipeline ??= unconfiguredPipeline());
    if (!target.isEnabled(level)) return;
    // An error passed in the place of fields would lose its message and stack when spread.
    const given = fields instanceof Error ? { error: fields } : fields;
    const plain = toPlainValue({ ...bound, ...given }) as LogEntry['fields'];
    target.write({ timestamp: new Date(now()).toISOString(), level, context, message, fields: plain });
  } catch {
    // Whoever logs is in the middle of something that matters more.
  }
}

function unconfiguredPipeline(): Pipeline {
  return createPipeline({
    level: 'info',
    console: process.env['NODE_ENV'] !== 'test',
    consoleFormat: 'readable',
    colored: process.stdout.isTTY && !process.env['NO_COLOR'],
    stdout: process.stdout,
    now,
  });
}
