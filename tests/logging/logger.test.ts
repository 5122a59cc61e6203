import { execFileSync } from 'node:child_process';
import { Console } from 'node:console';
import { once } from 'node:events';
import {
  chmodSync,
  chownSync,
  createReadStream,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
} from 'node:fs';
import { rmSync, symlinkSync, unlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { configureLogging, consoleFormatFor, createLogger, flushLogs } from '../../src/logging/logger.ts';
import type { Logger, LoggingOptions } from '../../src/logging/logger.ts';

/** The account of nobody, on any system. */
const NOBODY = 65_534;
const FILES = ['all', 'combined', 'error', 'executions', 'scheduler'];
const onLinux = it.skipIf(process.platform !== 'linux');

let root: string;
let dir: string;
let shown: string[];

beforeEach(() => {
  // The day is in the files' names, so it must not change during a test.
  vi.useFakeTimers({
    toFake: ['Date', 'setInterval', 'clearInterval'],
    now: new Date('2026-03-10T12:00:00Z'),
  });
  root = mkdtempSync(join(tmpdir(), 'log files '));
  dir = join(root, 'logs');
  shown = [];
  const stdout = new Writable({
    decodeStrings: false,
    write(text: string, _encoding, done) {
      shown.push(...text.trimEnd().split('\n'));
      done();
    },
  });
  // winston's console transport writes to the stdout of the global console.
  vi.stubGlobal('console', new Console(stdout));
});

afterEach(() => {
  configureLogging({ level: 'info', console: false });
  vi.useRealTimers();
  vi.unstubAllGlobals();
  rmSync(root, { recursive: true, force: true, maxRetries: 10, retryDelay: 20 });
});

function configure(options: Partial<LoggingOptions> = {}): void {
  configureLogging({ level: 'debug', dir, console: false, ...options });
}

type Line = Record<string, unknown>;

async function linesOf(name: string, day = '2026-03-10'): Promise<Line[]> {
  await flushLogs();
  const path = join(dir, `${name}-${day}.log`);
  if (!existsSync(path)) return [];
  const lines = readFileSync(path, 'utf8')
    .split('\n')
    .filter((line) => line !== '');
  return lines.map((line) => JSON.parse(line) as Line);
}

async function messagesOf(name: string, day?: string): Promise<unknown[]> {
  return (await linesOf(name, day)).map((line) => line['message']);
}

/** A logger that has written into its files, whose folder is gone since and cannot be made again. */
async function logBeforeParentGoes(): Promise<Logger> {
  configure();
  const log = createLogger('Api');
  log.info('before');
  await flushLogs();
  rmSync(root, { recursive: true });
  writeFileSync(root, 'in the way');
  return log;
}

function tick(ms: number): void {
  vi.advanceTimersByTime(ms);
}

describe('the five files', () => {
  it('each take what belongs there', async () => {
    configure();
    createLogger('Api').debug('debug of the API');
    createLogger('Api').info('info of the API');
    createLogger('Api').error('error of the API');
    createLogger('Worker').info('info of the worker');
    createLogger('Planner').warn('warning of the planner');
    createLogger('Rescuer').info('rescue of one execution', { executionId: 'exec_1' });

    expect(await messagesOf('all')).toHaveLength(6);
    expect(await messagesOf('error')).toEqual(['error of the API']);
    expect(await messagesOf('combined')).toHaveLength(5);
    expect(await messagesOf('executions')).toEqual(['info of the worker', 'rescue of one execution']);
    expect(await messagesOf('scheduler')).toEqual(['warning of the planner', 'rescue of one execution']);
  });

  it('are there from the start', async () => {
    configure();
    await vi.waitFor(() => {
      for (const name of FILES) expect(existsSync(join(dir, `${name}-2026-03-10.log`))).toBe(true);
    });
  });

  it('take nothing that is less urgent than the level', async () => {
    configure({ level: 'warn' });
    const log = createLogger('Worker');
    log.info('info');
    log.warn('warning');

    for (const name of ['all', 'combined', 'executions']) expect(await messagesOf(name)).toEqual(['warning']);
    expect(await messagesOf('error')).toEqual([]);
  });

  it('hold a line of JSON with time, level, context, message and fields', async () => {
    configure();
    const cause = new Error('inner');
    const log = createLogger('Api').child({ requestId: 'r1' });
    log.error('Request failed', { jobId: 'job_1', error: new TypeError('outer', { cause }), level: 'high' });

    const [line] = await linesOf('all');
    expect(line).toMatchObject({
      timestamp: '2026-03-10T12:00:00.000Z',
      level: 'error',
      context: 'Api',
      message: 'Request failed',
      requestId: 'r1',
      jobId: 'job_1',
      'field.level': 'high',
      error: {
        name: 'TypeError',
        message: 'outer',
        stack: expect.stringContaining('logger.test.ts') as string,
        cause: { name: 'Error', message: 'inner', stack: expect.stringContaining('inner') as string },
      },
    });
  });

  it('take more lines than any buffer holds, in order', async () => {
    configure();
    const log = createLogger('Api');
    for (let number = 0; number < 2000; number += 1) log.info('Numbered', { number });

    expect((await linesOf('all')).map((line) => line['number'])).toEqual([...Array(2000).keys()]);
  });

  it('begin anew at midnight UTC, and errors are removed after 30 days, others after 14', async () => {
    configure();
    const log = createLogger('Api');
    log.error('first day');
    await flushLogs();
    tick(12 * 3_600_000);
    log.error('second day');
    expect(await messagesOf('error', '2026-03-10')).toEqual(['first day']);
    expect(await messagesOf('error', '2026-03-11')).toEqual(['second day']);

    vi.setSystemTime(new Date('2026-03-30T00:00:00Z'));
    log.error('much later');
    await flushLogs();
    const kept = readdirSync(dir).filter((name) => !name.startsWith('.'));
    expect(kept).toEqual(expect.arrayContaining(['error-2026-03-10.log', 'error-2026-03-30.log']));
    expect(kept).not.toContain('combined-2026-03-10.log');

    vi.setSystemTime(new Date('2026-04-10T00:00:00Z'));
    log.error('a month later');
    await flushLogs();
    expect(readdirSync(dir)).not.toContain('error-2026-03-10.log');
    expect(readdirSync(dir)).toContain('error-2026-03-30.log');
  });

  it('go on being removed in time after a full disk has emptied the list of old ones', async () => {
    mkdirSync(dir);
    writeFileSync(join(dir, '.error-audit.json'), '');
    configure();
    createLogger('Api').error('entry');
    expect(await messagesOf('error')).toEqual(['entry']);
    expect(JSON.parse(readFileSync(join(dir, '.error-audit.json'), 'utf8'))).toMatchObject({
      files: [{ name: join(dir, 'error-2026-03-10.log') }],
    });
  });

  it('end a line that was torn, so that the next entry stays readable', async () => {
    mkdirSync(dir);
    writeFileSync(join(dir, 'all-2026-03-10.log'), '{"message":"whole"}\n{"mess');
    configure();
    createLogger('Api').info('after the crash');
    await flushLogs();
    const lines = readFileSync(join(dir, 'all-2026-03-10.log'), 'utf8').split('\n');
    expect(lines.slice(0, 2)).toEqual(['{"message":"whole"}', '{"mess']);
    expect(JSON.parse(lines[2] ?? '')).toMatchObject({ message: 'after the crash' });
  });
});

describe('a log folder in trouble', () => {
  it('that cannot be made gives one warning, and entries go to the console', async () => {
    writeFileSync(dir, 'a file stands where the folder should be');
    configure();
    createLogger('Planner').error('first');
    createLogger('Planner').info('second');
    await flushLogs();

    expect(shown.filter((line) => line.includes('Log files cannot be written'))).toHaveLength(1);
    expect(shown.filter((line) => line.includes('[Planner]')).map((line) => line.split('] ')[1])).toEqual([
      'first',
      'second',
    ]);
  });

  it('is tried again after five seconds, and told when it works', async () => {
    writeFileSync(dir, 'in the way');
    configure({ console: true });
    const log = createLogger('Api');
    log.info('lost');
    await flushLogs();
    unlinkSync(dir);
    log.info('too early');
    await flushLogs();
    expect(existsSync(dir)).toBe(false);

    tick(5000);
    log.info('written');
    expect(await messagesOf('all')).toContain('written');
    await vi.waitFor(() => {
      expect(shown.at(-1)).toMatch(/Log file is written again file=\w+/);
    });
  });

  it('that is deleted while running is made again', async () => {
    configure();
    const log = createLogger('Api');
    log.info('before');
    await flushLogs();
    rmSync(dir, { recursive: true });

    tick(5000);
    await vi.waitFor(async () => {
      log.info('after');
      expect(await messagesOf('all')).toContain('after');
    });
  });

  it('whose parent is gone at midnight stops nobody who logs', async () => {
    const log = await logBeforeParentGoes();
    vi.setSystemTime(Date.now() + 12 * 3_600_000);
    log.info('finds the trouble');
    await flushLogs();
    log.info('after');
    await flushLogs();
    expect(shown[0]).toContain('Log files cannot be written');
    expect(shown.at(-1)).toContain('[Api] after');
  });

  it('that is read-only is told once, and used as soon as it can be written', async () => {
    mkdirSync(dir);
    // Root may write everywhere; a name that a folder has taken refuses root too.
    for (const name of FILES) mkdirSync(join(dir, `${name}-2026-03-10.log`));
    chmodSync(dir, 0o500);
    configure();
    const log = createLogger('Api');
    await vi.waitFor(() => {
      log.info('shown instead');
      expect(shown.at(-1)).toContain('shown instead');
    });
    expect(shown.filter((line) => line.includes('Log files cannot be written'))).toHaveLength(1);

    chmodSync(dir, 0o700);
    for (const name of FILES) rmSync(join(dir, `${name}-2026-03-10.log`), { recursive: true });
    tick(5000);
    log.info('after');
    expect(await messagesOf('all')).toContain('after');
  });

  it('that are closed have all that was written in the same turn', async () => {
    configure();
    const messages = Array.from({ length: 10 }, (_, index) => `message ${index}`);
    for (const message of messages) createLogger('Api').info(message);
    configure();
    await vi.waitFor(async () => {
      expect(await messagesOf('all')).toEqual(messages);
    });
  });

  onLinux('on a full disk refuses entries until there is room', async () => {
    mkdirSync(dir);
    for (const name of FILES) symlinkSync('/dev/full', join(dir, `${name}-2026-03-10.log`));
    configure();
    const log = createLogger('Api');
    log.info('does not fit');
    await flushLogs();
    await vi.waitFor(() => {
      expect(shown.join('\n')).toContain('ENOSPC');
    });
    log.info('shown instead');
    await vi.waitFor(() => {
      expect(shown.at(-1)).toContain('shown instead');
    });

    for (const name of FILES) unlinkSync(join(dir, `${name}-2026-03-10.log`));
    tick(5000);
    log.info('fits');
    expect(await messagesOf('all')).toContain('fits');
  });

  onLinux('on a disk that hangs keeps a bounded number of entries in memory', async () => {
    mkdirSync(dir);
    const hanging = join(dir, 'all-2026-03-10.log');
    // Opening a pipe for writing waits for a reader, as a dead network disk waits for its server.
    execFileSync('mkfifo', [hanging]);
    configure();
    const log = createLogger('Api');
    const text = 'x'.repeat(7000);
    for (let number = 0; number < 1500; number += 1) {
      log.debug('Large', { text });
      if (number % 100 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    expect(shown.filter((line) => line.includes('The disk does not take the lines'))).not.toHaveLength(0);

    const taken: string[] = [];
    const reader = createReadStream(hanging, 'utf8').on('data', (chunk) => taken.push(String(chunk)));
    await vi.waitFor(() => {
      expect(shown.at(-1)).toMatch(/Log file is written again file=all/);
    });
    configureLogging({ level: 'info', console: false });
    await once(reader, 'close');
    const kept = taken.join('').trimEnd().split('\n').length;
    expect(kept).toBeLessThan(1500);
    expect(kept).toBeGreaterThan(1000);
  });
});

describe('the console', () => {
  it('shows entries for a person, stacks beneath', async () => {
    configure({ dir: undefined, console: true });
    createLogger('Planner').info('Planned a batch', { jobs: 3, name: 'two words', note: 'a\u001b[2Jb' });
    createLogger('Api').error('Failed', { error: new Error('boom', { cause: new Error('why') }) });
    await flushLogs();

    expect(shown[0]).toBe(
      '2026-03-10T12:00:00.000Z info  [Planner] Planned a batch jobs=3 name="two words" note="a\\u001b[2Jb"',
    );
    expect(shown[1]).toBe('2026-03-10T12:00:00.000Z error [Api] Failed error="Error: boom"');
    expect(shown[2]).toBe('    Error: boom');
    expect(shown).toContain('    caused by:');
  });

  it('shows lines of JSON to a collector', async () => {
    configure({ dir: undefined, console: true, consoleFormat: consoleFormatFor('production', {}) });
    createLogger('Api').info('Started', { port: 3000 });
    await flushLogs();
    expect(JSON.parse(shown[0] ?? '')).toMatchObject({ context: 'Api', message: 'Started', port: 3000 });
  });

  it.each([
    ['production', { isTTY: true }, 'readable'],
    ['production', {}, 'json'],
    ['development', {}, 'readable'],
  ])('in %s on %j is %s', (nodeEnv, stdout, format) => {
    expect(consoleFormatFor(nodeEnv, stdout)).toBe(format);
  });
});

it.skipIf(process.getuid?.() !== 0)(
  'as root, follows no link in a folder of another user, and says so on the console',
  async () => {
    mkdirSync(dir);
    const victim = join(root, 'victim');
    writeFileSync(victim, 'of root');
    for (const name of ['all-2026-03-10.log', '.error-audit.json']) symlinkSync(victim, join(dir, name));
    chownSync(dir, NOBODY, NOBODY);
    configure({ console: true });
    createLogger('Api').error('to be kept');
    await flushLogs();
    expect(readFileSync(victim, 'utf8')).toBe('of root');
    expect(await messagesOf('error')).toContain('to be kept');
    expect(shown.join('\n')).toContain('ELOOP');
  },
);
