import { fork, type ChildProcess } from 'node:child_process';
import { fileURLToPath } from 'node:url';

/** A part of a benchmark that needs a process of its own, asked over IPC. */
export type Child = {
  pid: number;
  /** Sends a request and resolves with its answer. */
  ask: <Answer>(request: object) => Promise<Answer>;
  stop: () => Promise<void>;
};

type Message = { id: number; answer?: unknown; error?: string };

/** Starts a module of `bench/harness` and waits until it can be asked. */
export async function startChild(module: string, args: readonly string[] = []): Promise<Child> {
  const file = fileURLToPath(new URL(module, import.meta.url));
  const child = fork(file, [...args], {
    execArgv: ['--import', 'tsx'],
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  const waiting = new Map<number, { resolve: (answer: never) => void; reject: (error: Error) => void }>();
  let lastId = 0;
  child.on('message', ({ id, answer, error }: Message) => {
    const request = waiting.get(id);
    waiting.delete(id);
    if (error === undefined) request?.resolve(answer as never);
    else request?.reject(new Error(error));
  });
  const exited = new Promise<void>((resolve) =>
    child.once('exit', () => {
      resolve();
    }),
  );
  void exited.then(() => {
    for (const { reject } of waiting.values()) reject(new Error(`${module} ended`));
  });
  const ask = <Answer>(request: object): Promise<Answer> =>
    new Promise<Answer>((resolve, reject) => {
      lastId += 1;
      waiting.set(lastId, { resolve, reject });
      child.send({ id: lastId, request });
    });
  await ask({ kind: 'hello' });
  return { pid: pidOf(child), ask, stop: () => stop(child, exited) };
}

function pidOf({ pid }: ChildProcess): number {
  if (pid === undefined) throw new Error('The process was not started');
  return pid;
}

async function stop(child: ChildProcess, exited: Promise<void>): Promise<void> {
  child.kill('SIGKILL');
  await exited;
}
