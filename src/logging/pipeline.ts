import { Writable } from 'node:stream';
import winston from 'winston';
import { createConsoleSink, guardStream } from './console-sink.ts';
import type { ConsoleStream } from './console-sink.ts';
import { formatJson } from './entry.ts';
import type { LogEntry } from './entry.ts';
import type { LogLevel } from './level.ts';
import { LOG_FILES } from './log-files.ts';
import type { LogFile } from './log-files.ts';
import { toPlainValue } from './plain-value.ts';
import { formatReadable } from './readable.ts';
import { createRotatingFile } from './rotating-file.ts';
import type { LogSink } from './sink.ts';

/** How the console shows entries: for a person, or for whatever collects the lines. */
export type ConsoleFormat = 'readable' | 'json';

export interface PipelineOptions {
  readonly level: LogLevel;
  /** Folder of the log files; without one, none are written. */
  readonly dir?: string | undefined;
  /** Whether entries are shown on the console. Troubles with the log files are shown there in any case. */
  readonly console: boolean;
  readonly consoleFormat: ConsoleFormat;
  readonly colored: boolean;
  readonly stdout: ConsoleStream;
  readonly now: () => number;
}

/** Where entries go: winston, and behind it the console and the files. */
export interface Pipeline {
  /** Whether an entry of this level goes anywhere, so that others need not be built. */
  isEnabled: (level: LogLevel) => boolean;
  write: (entry: LogEntry) => void;
  /** Resolves when what was written so far has left the process; waits as long as that takes. */
  flush: () => Promise<void>;
  close: () => void;
}

const LEVELS: Record<LogLevel, number> = { error: 0, warn: 1, info: 2, debug: 3 };

/** winston carries the entry under this key untouched, beside the line of JSON that its format makes of it. */
const ENTRY = Symbol('entry');
const MESSAGE = Symbol.for('message');
type Carrier = winston.Logform.TransformableInfo & { [ENTRY]: LogEntry; [MESSAGE]: string };

/** Takes the entries down to a level. */
type Outlet = { level: LogLevel; take: (entry: LogEntry, json: string) => void };

type Screen = { show: (entry: LogEntry, json?: string) => void; sink: LogSink };

/** Builds the pipeline and opens its files. No trouble with them is ever thrown. */
export function createPipeline(options: PipelineOptions): Pipeline {
  guardStream(process.stderr);
  const screen = createScreen(options);
  const files = options.dir === undefined ? [] : createFiles(options, options.dir, screen);
  const outlets = files.map(({ file, sink }) => fileOutlet(file, sink, options, screen));
  if (options.console) outlets.push({ level: options.level, take: screen.show });

  const root = winston.createLogger({
    levels: LEVELS,
    level: options.level,
    format: winston.format.printf((info) => formatJson((info as Carrier)[ENTRY])),
    transports: [createTransport(options.level, outlets)],
  });
  // What a transport reports without a listener here would be an uncaught exception of the whole process.
  root.on('error', () => undefined);

  const sinks = [screen.sink, ...files.map(({ sink }) => sink)];
  return {
    isEnabled: (level) => outlets.length > 0 && LEVELS[level] <= LEVELS[options.level],
    write(entry) {
      root.log({ level: entry.level, message: entry.message, [ENTRY]: entry } as winston.LogEntry);
    },
    async flush() {
      // In its first turn of the event loop winston holds entries back until its pipes flow.
      await new Promise((resolve) => setImmediate(resolve));
      await Promise.all(sinks.map((sink) => sink.flush()));
    },
    close() {
      root.close();
      for (const sink of sinks) sink.close();
    },
  };
}

function createScreen(options: PipelineOptions): Screen {
  const render = (entry: LogEntry, json?: string): string =>
    options.consoleFormat === 'json' ? (json ?? formatJson(entry)) : formatReadable(entry, options.colored);
  const sink = createConsoleSink(options.stdout, (count) =>
    render(ownEntry(options, 'warn', 'Console lines were dropped because nobody read them', { count })),
  );
  return { sink, show: (entry, json) => void sink.write(render(entry, json)) };
}

function createFiles(
  options: PipelineOptions,
  dir: string,
  screen: Screen,
): { file: LogFile; sink: LogSink }[] {
  const broken = new Set<string>();
  return LOG_FILES.map((file) => ({
    file,
    sink: createRotatingFile({
      dir,
      name: file.name,
      keepDays: file.keepDays,
      now: options.now,
      onRefused(lines) {
        if (isShownInstead(file, options)) for (const line of lines) screen.sink.write(line);
      },
      onBroken(error) {
        // One disk, five files: the first to fail speaks for all.
        if (broken.size === 0) {
          const message = 'Log files cannot be written; entries go to the console alone until they can';
          screen.show(ownEntry(options, 'warn', message, { dir, error }));
        }
        broken.add(file.name);
      },
      onHealed(droppedEntries) {
        broken.delete(file.name);
        const fields = { file: file.name, droppedEntries };
        screen.show(ownEntry(options, 'info', 'Log file is written again', fields));
      },
    }),
  }));
}

function fileOutlet(file: LogFile, sink: LogSink, options: PipelineOptions, screen: Screen): Outlet {
  return {
    level: file.level,
    take(entry, json) {
      if (!file.takes(entry) || sink.write(json)) return;
      if (isShownInstead(file, options)) screen.show(entry, json);
    },
  };
}

/** `all` holds everything, so its refusals, and no other file's, are shown where the console is silent otherwise. */
function isShownInstead(file: LogFile, { console }: PipelineOptions): boolean {
  return file.name === 'all' && !console;
}

/** One for all outlets: winston pipes each entry to each transport, whether that takes it or not, through three streams. */
function createTransport(level: LogLevel, outlets: readonly Outlet[]): winston.transport {
  const stream = new Writable({
    objectMode: true,
    write({ [ENTRY]: entry, [MESSAGE]: json }: Carrier, _encoding, done) {
      try {
        for (const outlet of outlets)
          if (LEVELS[entry.level] <= LEVELS[outlet.level]) outlet.take(entry, json);
      } finally {
        // Without this no entry would follow.
        done();
      }
    },
  });
  // eslint-disable-next-line @typescript-eslint/no-unsafe-class-instance-assignment -- winston's types describe its own stream transport by an interface beside the class it extends
  return new winston.transports.Stream({ level, stream });
}

function ownEntry(
  { now }: PipelineOptions,
  level: LogLevel,
  message: string,
  fields: Record<string, unknown>,
): LogEntry {
  const plain = toPlainValue(fields) as LogEntry['fields'];
  return { timestamp: new Date(now()).toISOString(), level, context: 'Logging', message, fields: plain };
}
