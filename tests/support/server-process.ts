import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { configReference } from '../../src/config/config.ts';
import { makeTempFolder } from './temp-folder.ts';
import { until } from './until.ts';

/** One entry of the server's log, fields beside the entry's own keys. */
export type LogLine = { level: string; context: string; message: string } & Record<string, unknown>;

/** How a process ended: by itself with a code, or by a signal. */
export type Exit = { code: number | null; signal: NodeJS.Signals | null };

/** A server in a process of its own, as `npm start` makes one. */
export type ServerProcess = {
  url: string;
  instanceId: string;
  pid: number;
  /** Sends a signal and waits for nothing. */
  signal: (signal: NodeJS.Signals) => void;
  /** Sends a signal, SIGKILL where left out, and waits for the end. */
  kill: (signal?: NodeJS.Signals) => Promise<Exit>;
  /** Asks it to stop, and waits for the end. */
  stop: () => Promise<Exit>;
  exited: Promise<Exit>;
  /** Entries with this message so far. */
  logged: (message: string) => LogLine[];
  /** All that it has written, for whoever looks for the cause of a failure. */
  output: () => string;
};

const START_SCRIPT = fileURLToPath(new URL('../../scripts/start.mjs', import.meta.url));
const END_WITH_OWNER = new URL('end-with-owner.mjs', import.meta.url).href;
/** The first start of a checkout compiles. */
const START_LIMIT_MS = 60_000;

/**
 * Quick to notice a lost wake-up, and patient with a database on a busy machine: tests must not fail for slowness.
 * A test that waits for a dead server's leases to end sets a short LEASE_MS on that server.
 */
const QUICK: Record<string, string> = {
  PORT: '0',
  // Off a terminal, this has the console get lines of JSON: what the server says of itself is read from them.
  NODE_ENV: 'production',
  LEASE_MS: '20000',
  DATABASE_CONNECT_TIMEOUT_MS: '15000',
  HEARTBEAT_INTERVAL_MS: '500',
  POLL_INTERVAL_MS: '1000',
  DATABASE_POOL_MAX: '10',
};

/** For a server that will be killed: what it holds is free again after this. */
export const SHORT_LEASE: Record<string, string> = { LEASE_MS: '4000', DATABASE_CONNECT_TIMEOUT_MS: '3000' };

/**
 * Starts a server and waits until it is ready. It does not outlive the test's process.
 *
 * @param env its variables, laid over short intervals and any free port; DATABASE_URL must be among them
 * @throws Error with all that the server wrote, where it ends or stays silent instead
 */
export async function startServerProcess(env: Record<string, string>): Promise<ServerProcess> {
  const logs = await makeTempFolder('server');
  const child = spawn(process.execPath, ['--import', END_WITH_OWNER, START_SCRIPT], {
    env: { ...inheritedEnv(), ...QUICK, LOG_DIR: logs.path, ...env },
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  const output: string[] = [];
  const entries: LogLine[] = [];
  const read = (line: string) => {
    output.push(line);
    const entry = parseEntry(line);
    if (entry) entries.push(entry);
  };
  createInterface(child.stdout).on('line', read);
  createInterface(child.stderr).on('line', read);
  const state: { exit?: Exit } = {};
  const exited = new Promise<Exit>((resolve) => {
    child.on('close', (code, signal) => {
      state.exit = { code, signal };
      void logs.remove().then(() => {
        resolve({ code, signal });
      });
    });
  });

  const logged = (message: string) => entries.filter((entry) => entry.message === message);
  const kill = (signal: NodeJS.Signals = 'SIGKILL') => {
    child.kill(signal);
    return exited;
  };
  await until(() => logged('Ready').length > 0 || state.exit, { timeoutMs: START_LIMIT_MS }).catch(() =>
    kill(),
  );
  const [ready] = logged('Ready');
  if (!ready)
    throw new Error(`The server did not start (${JSON.stringify(await kill())}):\n${output.join('\n')}`);
  return {
    url: String(ready['url']),
    instanceId: String(ready['instanceId']),
    pid: child.pid ?? NaN,
    signal: (signal) => void child.kill(signal),
    kill,
    stop: () => kill('SIGTERM'),
    exited,
    logged,
    output: () => output.join('\n'),
  };
}

/** An empty variable counts as not set, and one that is there wins over a developer's own .env. */
function inheritedEnv(): NodeJS.ProcessEnv {
  return { ...process.env, ...Object.fromEntries(configReference().map(({ name }) => [name, ''])) };
}

function parseEntry(line: string): LogLine | null {
  if (!line.startsWith('{')) return null;
  try {
    return JSON.parse(line) as LogLine;
  } catch {
    return null;
  }
}
