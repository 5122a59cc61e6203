// npm run demo: the real server with sample jobs, watched through the public API like any client would.
//
// Everything lies in a temporary folder that is removed at the end: each run begins with an empty database, so runs do
// not pile up jobs, and the data of `npm start` is never touched. With DATABASE_URL set, that database is used, and the
// sample jobs are deleted from it at the end.
import { chmod, mkdtemp, realpath, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { createApp } from '../src/app.ts';
import { loadConfig } from '../src/config/config.ts';
import { configureLogging } from '../src/logging/logger.ts';
import { followExecutions } from './demo-feed.ts';
import { createDemoJobs, deleteDemoJobs } from './demo-jobs.ts';
import { parseDemoOptions, USAGE } from './demo-options.ts';
import type { DemoOptions } from './demo-options.ts';
import { createDemoOutput } from './demo-output.ts';
import { startDemoTarget } from './demo-target.ts';

/** Without any execution after this time something is wrong. */
const FIRST_EVENT_MS = 15_000;

/** One Ctrl-C can arrive twice: from the terminal and passed on by npm. A second one later means "now". */
const SAME_INTERRUPT_MS = 1_000;

/** Undone in the opposite order, whatever happens. */
type Cleanup = (() => Promise<void>)[];

process.exitCode = await main();

async function main(): Promise<number> {
  let options: DemoOptions;
  try {
    options = parseDemoOptions(process.argv.slice(2));
  } catch (error) {
    console.error(`${messageOf(error)}\n\n${USAGE}`);
    return 2;
  }
  if (options.help) {
    console.log(USAGE);
    return 0;
  }

  const interrupted = listenForInterrupts();
  const cleanup: Cleanup = [];
  try {
    return await run(options, interrupted, cleanup);
  } catch (error) {
    // A function, since the signal changes behind the compiler's back.
    const isInterrupted = () => interrupted.aborted;
    if (isInterrupted()) return 0;
    console.error(`\n${messageOf(error)}`);
    return 1;
  } finally {
    for (const undo of cleanup.reverse()) {
      await undo().catch((error: unknown) => {
        console.error(`While ending: ${messageOf(error)}`);
      });
    }
  }
}

async function run({ forMs }: DemoOptions, interrupted: AbortSignal, cleanup: Cleanup): Promise<number> {
  const output = createDemoOutput(process.stdout);
  configureLogging({ level: 'warn', console: true });
  const dataDir = await temporaryFolder(cleanup);
  const config = loadConfig({ ...process.env, DATA_DIR: dataDir, AUTH_MODE: 'none' });

  output.starting(config.databaseUrl === undefined);
  const app = createApp(config);
  cleanup.push(app.stop);
  const { url } = await app.start();
  // A function, since the compiler takes a signal that was not aborted once for never aborted.
  const isInterrupted = () => interrupted.aborted;
  if (isInterrupted()) return 0;
  const target = await startDemoTarget();
  cleanup.push(target.stop);

  const graphqlUrl = `${url}/graphql`;
  const ending = new AbortController();
  const feed = followExecutions(graphqlUrl, output.item, ending.signal);
  cleanup.push(async () => {
    ending.abort();
    await feed;
  });
  const jobs = await createDemoJobs(graphqlUrl, target.url);
  if (config.databaseUrl !== undefined) cleanup.push(() => deleteDemoJobs(graphqlUrl, jobs));
  output.ready(
    graphqlUrl,
    jobs,
    forMs === undefined ? 'Ctrl-C ends the demo.' : `Ends by itself after ${forMs / 1000} s.`,
  );

  const sinceMs = performance.now();
  await Promise.race([feed, runTime(forMs, output.startedCount, interrupted)]);
  if (output.startedCount() === 0 && !isInterrupted()) {
    throw new Error(
      `No execution was reported within ${Math.round((performance.now() - sinceMs) / 1000)} s.`,
    );
  }
  output.summary(performance.now() - sinceMs);
  return 0;
}

/** Resolves when the demo is over: its time is up, it was interrupted, or nothing happens. */
async function runTime(
  forMs: number | undefined,
  startedCount: () => number,
  interrupted: AbortSignal,
): Promise<void> {
  const wait = (timeMs: number) => delay(timeMs, undefined, { signal: interrupted }).catch(() => undefined);
  await wait(Math.min(forMs ?? FIRST_EVENT_MS, FIRST_EVENT_MS));
  if (startedCount() === 0 || interrupted.aborted) return;
  if (forMs !== undefined) await wait(Math.max(forMs - FIRST_EVENT_MS, 0));
  else
    await new Promise<void>((resolve) => {
      interrupted.addEventListener('abort', () => {
        resolve();
      });
    });
}

/** Aborted by the first signal. A second one ends the process at once; the embedded PostgreSQL then ends by itself. */
function listenForInterrupts(): AbortSignal {
  const controller = new AbortController();
  let firstAtMs: number | undefined;
  const interrupt = () => {
    const nowMs = performance.now();
    firstAtMs ??= nowMs;
    if (nowMs - firstAtMs > SAME_INTERRUPT_MS) process.exit(130);
    controller.abort();
  };
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, interrupt);
  // `npm run demo | head` closes our output.
  process.stdout.on('error', interrupt);
  return controller.signal;
}

async function temporaryFolder(cleanup: Cleanup): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'job-scheduler-demo-'));
  cleanup.push(async () => {
    // As root, the database may lie elsewhere, behind a link.
    const database = await realpath(join(folder, 'postgres')).catch(() => folder);
    await rm(database, { recursive: true, force: true });
    await rm(folder, { recursive: true, force: true });
  });
  // As root, the database runs under another account, which must be able to enter.
  await chmod(folder, 0o755);
  return folder;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
