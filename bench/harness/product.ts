import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

/** The scheduler as it is shipped, API and all, in a process of its own. */
export type Product = {
  pid: number;
  url: string;
  /** From the start of the process until it said that it is ready. */
  readyMs: number;
  stop: () => Promise<void>;
};

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

/** Starts it with the product's defaults, except for what is given. */
export async function startProduct(env: Record<string, string>): Promise<Product> {
  const logs = await mkdtemp(join(tmpdir(), 'bench-logs-'));
  const startedMs = performance.now();
  const child = spawn(process.execPath, [...profiling(), ...ablation(), ...startArguments()], {
    cwd: ROOT,
    env: { ...process.env, NODE_ENV: 'production', PORT: '0', LOG_DIR: logs, ...env },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const exited = new Promise<void>((resolve) =>
    child.once('exit', () => {
      resolve();
    }),
  );
  const url = await new Promise<string>((resolve, reject) => {
    createInterface(child.stdout).on('line', (line) => {
      const entry = line.startsWith('{') ? (JSON.parse(line) as { message: string; url?: string }) : null;
      if (entry?.message === 'Ready') resolve(entry.url ?? '');
    });
    void exited.then(() => {
      reject(new Error('The scheduler ended before it was ready'));
    });
  });
  return {
    pid: child.pid ?? 0,
    url,
    readyMs: performance.now() - startedMs,
    async stop() {
      child.kill('SIGTERM');
      await exited;
      await rm(logs, { recursive: true, force: true });
    },
  };
}

/** What `npm start` gives to node: one process less than npm would be, whose time would count as ours. */
function startArguments(): string[] {
  const { scripts } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as {
    scripts: { start: string };
  };
  return scripts.start.split(' ').slice(scripts.start.split(' ').indexOf('node') + 1);
}

/** Where BENCH_REPLACE says what stands in for a mechanism: see `bench/ablation`. */
function ablation(): string[] {
  if (process.env['BENCH_REPLACE'] === undefined) return [];
  return ['--import', new URL('../ablation/register.mjs', import.meta.url).href];
}

/** BENCH_PROFILE names a folder that gets a processor profile of each run, to be opened in a browser's developer tools. */
function profiling(): string[] {
  const folder = process.env['BENCH_PROFILE'];
  return folder === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${folder}`];
}
