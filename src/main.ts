import { createApp } from './app.ts';
import { StartError } from './async/start-error.ts';
import { ConfigError, loadConfig, type Config } from './config/config.ts';
import { checkLogFolder } from './logging/log-folder-check.ts';
import { configureLogging, consoleFormatFor, createLogger, flushLogs } from './logging/logger.ts';

const logger = createLogger('Main');

/** A second signal, or a stop that takes this much longer than its own limits, ends the process at once. */
const STOP_MARGIN_MS = 20_000;

/** One Ctrl-C arrives twice where npm is in between: from the terminal, and passed on. */
const SAME_SIGNAL_MS = 1_000;

const config = readConfig();
configureLogging({
  level: config.logLevel,
  dir: config.logDir,
  console: true,
  consoleFormat: consoleFormatFor(config.nodeEnv),
});
for (const warning of config.warnings) logger.warn('Configuration', { warning });

const app = createApp(config);
/** When the first signal came, in milliseconds of the monotonic clock. */
const signalledAtMs: number[] = [];

process.on('SIGTERM', onSignal);
process.on('SIGINT', onSignal);
process.on('unhandledRejection', (error) => {
  logger.error('An error that nobody handled', { error });
});
process.on('uncaughtException', (error) => {
  logger.error('An error that nobody caught; the process ends', { error });
  void end(1);
});

try {
  await app.start();
} catch (error) {
  if (signalledAtMs.length === 0) {
    await refuseStart(error);
  }
}

function onSignal(signal: NodeJS.Signals): void {
  const nowMs = performance.now();
  const [firstMs] = signalledAtMs;
  if (firstMs !== undefined) {
    if (nowMs - firstMs < SAME_SIGNAL_MS) return;
    logger.warn('Ended by a second signal', { signal });
    void end(1);
    return;
  }
  signalledAtMs.push(nowMs);
  logger.info('Stopping', { signal });
  setTimeout(() => void end(1), config.shutdownGraceMs + STOP_MARGIN_MS).unref();
  app.stop().then(
    () => end(0),
    () => end(1),
  );
}

async function end(code: number): Promise<never> {
  await flushLogs();
  process.exit(code);
}

/** A fault that the operator can mend is one sentence; any other needs its stack. */
async function refuseStart(error: unknown): Promise<never> {
  const why = error instanceof StartError ? { reason: error.message } : { error };
  logger.error('The scheduler could not start', why);
  return end(1);
}

function readConfig(): Config {
  try {
    const read = loadConfig(process.env);
    checkLogFolder(read.logDir);
    return read;
  } catch (error) {
    if (!(error instanceof ConfigError || error instanceof StartError)) throw error;
    process.stderr.write(`${error.message}\n`);
    process.exit(1);
  }
}
