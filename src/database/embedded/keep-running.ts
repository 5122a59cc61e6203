import { setTimeout as delay } from 'node:timers/promises';
import type { Server } from './supervisor.ts';
import type { DatabaseLog } from '../log.ts';

const FIRST_DELAY_MS = 500;
const LONGEST_DELAY_MS = 30_000;

/**
 * Starts the server again whenever it ends by itself: it was killed from outside, or ran out of memory.
 *
 * @param relaunch starts it on the same port
 * @returns the one way to end it: shuts down what runs now and resolves when nothing does; may be called again
 */
export function keepRunning(
  first: Server,
  relaunch: () => Promise<Server | 'portTaken'>,
  log: DatabaseLog,
): () => Promise<void> {
  const stopping = new AbortController();
  const isStopping = () => stopping.signal.aborted;
  let current: Server | undefined = first;

  const watch = async (): Promise<void> => {
    let delayMs = FIRST_DELAY_MS;
    for (;;) {
      const exitCode = await current?.exited.catch(() => undefined);
      if (isStopping()) return;
      log('embedded PostgreSQL ended unexpectedly, starting it again', { exitCode, delayMs });
      // Not kept alive for this: a process with nothing else to do may end.
      await delay(delayMs, undefined, { signal: stopping.signal, ref: false }).catch(() => undefined);
      if (isStopping()) return;
      current = await restart(relaunch, log);
      if (isStopping()) return current?.stop();
      delayMs = current === undefined ? Math.min(delayMs * 2, LONGEST_DELAY_MS) : FIRST_DELAY_MS;
    }
  };
  const watching = watch();

  return async () => {
    stopping.abort();
    await current?.stop();
    await watching;
  };
}

async function restart(
  relaunch: () => Promise<Server | 'portTaken'>,
  log: DatabaseLog,
): Promise<Server | undefined> {
  try {
    const server = await relaunch();
    if (server !== 'portTaken') return server;
    log('embedded PostgreSQL cannot start again: its port is taken by another program');
  } catch (error) {
    log('embedded PostgreSQL cannot start again', { error });
  }
  return undefined;
}
