import { spawn } from 'node:child_process';
import { connect, createServer, type AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import { expect, it, onTestFinished } from 'vitest';
import { until } from '../support/until.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const LIMIT = { timeoutMs: 90_000 };

/** Runs `npm run demo` as a terminal does: in its own process group, which receives Ctrl-C. */
function runDemo(env: Record<string, string>, time: string) {
  const child = spawn('npm', ['run', 'demo', '--', '--for', time], {
    cwd: ROOT,
    env: { ...process.env, NODE_ENV: 'development', DATABASE_URL: '', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  });
  const signalGroup = (signal: NodeJS.Signals) => {
    if (child.pid !== undefined && child.exitCode === null && child.signalCode === null)
      process.kill(-child.pid, signal);
  };
  onTestFinished(() => {
    signalGroup('SIGKILL');
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (data: Buffer) => (output += data.toString()));
  return {
    output: () => output,
    interrupt: () => {
      signalGroup('SIGINT');
    },
    exit: new Promise<number | null>((resolve) => child.once('close', resolve)),
  };
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.on('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.on('error', () => {
      resolve(false);
    });
  });
}

it('runs twice at once: one copy ends after its time, the other on Ctrl-C, and no database process remains', async () => {
  const ports = [await freePort(), await freePort()] as const;
  const timed = runDemo({ PORT: '0', EMBEDDED_POSTGRES_PORT: String(ports[0]) }, '6s');
  const interrupted = runDemo({ PORT: '0', EMBEDDED_POSTGRES_PORT: String(ports[1]) }, '90s');

  await until(() => /steady +SUCCEEDED/.test(interrupted.output()), LIMIT);
  expect(await accepts(ports[1])).toBe(true);
  interrupted.interrupt();
  expect(await interrupted.exit, interrupted.output()).toBe(0);
  expect(await accepts(ports[1])).toBe(false);

  expect(await timed.exit, timed.output()).toBe(0);
  expect(timed.output()).toMatch(/steady +SUCCEEDED +attempt 1 +HTTP 200/);
  expect(await accepts(ports[0])).toBe(false);
}, 180_000);

it('reports how to handle a port in use, and leaves no database behind', async () => {
  const other = createServer();
  await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void other.close());
  const { port } = other.address() as AddressInfo;
  const databasePort = await freePort();

  const demo = runDemo({ PORT: String(port), EMBEDDED_POSTGRES_PORT: String(databasePort) }, '90s');
  expect(await demo.exit).toBe(1);
  expect(demo.output()).toContain(`Port ${port} on 127.0.0.1 is already taken by another program.`);
  expect(demo.output()).toContain('set PORT to a free port');
  expect(await accepts(databasePort)).toBe(false);
}, 180_000);
