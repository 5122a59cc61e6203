import { spawn } from 'node:child_process';
import { chmod, copyFile, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, type TestContext } from 'vitest';
import { parseDemoOptions } from '../../scripts/demo-options.ts';

const SCRIPT = join(import.meta.dirname, '../../scripts/demo.mjs');

type Run = { output: () => string; exit: Promise<number | null> };

/** Runs the demo as npm does, on any free port. */
function runDemo(
  { onTestFinished }: TestContext,
  args: string[],
  env: Record<string, string> = {},
  script = SCRIPT,
): Run {
  const child = spawn(process.execPath, [script, ...args], {
    env: { ...process.env, PORT: '0', DATABASE_URL: '', NODE_ENV: 'development', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  onTestFinished(() => {
    child.kill('SIGKILL');
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (data: Buffer) => (output += data.toString()));
  }
  return {
    output: () => output,
    exit: new Promise((resolve) => child.once('exit', resolve)),
  };
}

/** A folder for temporary files of the demo's own, which other users may enter: as root, the database runs under one. */
async function temporaryFolder({ onTestFinished }: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'demo-test-'));
  await chmod(folder, 0o755);
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

// Most of what they do is wait.
describe.concurrent('The demo', () => {
  const shown = 'shows a success, a retry that succeeds and a dead letter, and ends by itself';
  it(shown, { timeout: 90_000 }, async (context) => {
    const { expect } = context;
    const folder = await temporaryFolder(context);
    const demo = runDemo(context, ['--for', '14s'], { TMPDIR: folder });
    expect(await demo.exit).toBe(0);
    const output = demo.output();
    expect(output).toMatch(/GraphiQL {3}http:\/\/127\.0\.0\.1:\d+\/graphql/);
    expect(output.indexOf('GraphiQL')).toBeLessThan(output.indexOf('PLANNED'));
    expect(output).toMatch(/steady +SUCCEEDED +attempt 1 +HTTP 200/);
    expect(output).toMatch(/flaky +RETRY_SCHEDULED +attempt 2 +.*503/);
    expect(output).toMatch(/flaky +SUCCEEDED +attempt 3 +HTTP 200/);
    expect(output).toMatch(/broken +FAILED +attempt 2 +.*dead letter queue/);
    expect(output).toMatch(
      /14 s: \d+ calls, \d+ executions succeeded, \d+ retries, [12] in the dead letter queue\./,
    );
    expect((await readdir(folder)).filter((name) => name.startsWith('job-scheduler'))).toEqual([]);
  });

  it('runs where the folder for temporary files cannot be used', { timeout: 60_000 }, async (context) => {
    const demo = runDemo(context, ['--for', '2s'], { TMPDIR: '/nowhere' });
    context.expect({ exit: await demo.exit, output: demo.output() }).toMatchObject({
      exit: 0,
      output: context.expect.stringMatching(/2 s: \d+ calls/) as string,
    });
  });

  it('says what to run first where the packages are not installed', async (context) => {
    const { expect } = context;
    const folder = await temporaryFolder(context);
    const script = join(folder, 'demo.mjs');
    await copyFile(SCRIPT, script);
    const demo = runDemo(context, [], {}, script);
    expect(await demo.exit).toBe(1);
    expect(demo.output()).toBe('The packages of the demo are not installed. Run "npm ci" first.\n');
  });

  it('says which variable is wrong, and starts nothing', { timeout: 60_000 }, async (context) => {
    const { expect } = context;
    const demo = runDemo(context, ['--for', '5s'], { PORT: 'many' });
    expect(await demo.exit).toBe(1);
    expect(demo.output()).toContain('PORT holds "many"');
  });

  it('explains itself when asked wrongly', { timeout: 60_000 }, async (context) => {
    const { expect } = context;
    const demo = runDemo(context, ['--four', '20s']);
    expect(await demo.exit).toBe(2);
    expect(demo.output()).toContain('Unknown argument: --four');
    expect(demo.output()).toContain('Usage: npm run demo');
  });
});

describe('The demo’s arguments', () => {
  it.each([
    [[], {}],
    [['--for', '20s'], { forMs: 20_000 }],
    [['--for=1.5m'], { forMs: 90_000 }],
    [['--for', '500ms'], { forMs: 500 }],
  ])('%j is understood', (args, expected) => {
    expect(parseDemoOptions(args)).toEqual({ help: false, ...expected });
  });

  it.each([
    [['--for']],
    [['--for', '20']],
    [['--for', '0s']],
    [['--for', '-1s']],
    [['--for', '1e9m']],
    [['20s']],
  ])('%j is refused', (args) => {
    expect(() => parseDemoOptions(args)).toThrow();
  });
});
