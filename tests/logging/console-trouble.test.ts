import { spawn } from 'node:child_process';
import type { ChildProcess, StdioOptions } from 'node:child_process';
import { on } from 'node:events';
import { existsSync, openSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, it } from 'vitest';

const SCRIPT = fileURLToPath(new URL('log-until-told.ts', import.meta.url));

let child: ChildProcess;

afterEach(() => {
  child.kill('SIGKILL');
});

function start(stdout: 'pipe' | number): ChildProcess {
  const stdio: StdioOptions = ['ignore', stdout, 'inherit', 'ipc'];
  return spawn(process.execPath, ['--import', 'tsx', SCRIPT], { stdio });
}

type RenderedEvent = { turn: number; unreadBytes: number };

/** Listens until the process has turned so many times more; fails where it ends instead. */
async function hearTurns(process: ChildProcess, count: number): Promise<RenderedEvent> {
  const ended = new AbortController();
  process.once('exit', (code, signal) => {
    ended.abort(new Error(`The logging process has ended: ${String(code ?? signal)}`));
  });
  let first: number | undefined;
  for await (const [told] of on(process, 'message', { signal: ended.signal }) as AsyncIterable<
    [RenderedEvent]
  >) {
    first ??= told.turn;
    if (told.turn - first >= count) return told;
  }
  throw new Error('The logging process says nothing');
}

describe('a process that logs', () => {
  it('goes on when the reader of its stdout goes away', async () => {
    child = start('pipe');
    await hearTurns(child, 0);
    child.stdout?.destroy();
    await hearTurns(child, 50);
    expect(child.exitCode).toBeNull();
  });

  it('goes on with bounded memory when nobody reads its stdout', async () => {
    child = start('pipe');
    child.stdout?.pause();
    // Far more than pipe and limit hold together: 200 turns are 10 MB.
    const { unreadBytes } = await hearTurns(child, 200);
    expect(unreadBytes).toBeGreaterThan(500_000);
    expect(unreadBytes).toBeLessThan(2_000_000);
  });

  it.skipIf(!existsSync('/dev/full'))('goes on when its stdout is a file on a full disk', async () => {
    child = start(openSync('/dev/full', 'w'));
    await hearTurns(child, 50);
    expect(child.exitCode).toBeNull();
  });
});
