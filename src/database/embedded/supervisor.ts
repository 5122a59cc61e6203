import { spawn } from 'node:child_process';
import { lstat, open, rename } from 'node:fs/promises';
import type { Socket } from 'node:net';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { APPEND, NO_LINKS, READ } from '../../async/no-links.ts';
import { childOptions } from './account.ts';
import type { Binaries } from './binaries.ts';
import { findPostmaster, type Cluster } from './cluster.ts';
import { hasCode } from './errors.ts';
import type { Home } from './home.ts';

/**
 * Runs the server as its child and stops it when the pipe on its standard input ends, which the system brings about
 * however our process ends. First a fast shutdown; a server that has not finished after 30 s is stopped at once
 * (and recovers at its next start), after 5 s more it is killed.
 *
 * In shell and not in JavaScript: it needs no file beside the compiled code, takes a megabyte instead of forty, and
 * stays alive when somebody kills every process named node. Two processes, as a shell cannot wait for a child and
 * for input at once; either of them alone still stops the server.
 *
 * Signals are not a request to stop: a terminal or service manager that signals the whole group must leave the
 * database running until the scheduler has finished. `trap :` and not `trap ''`, which the server would inherit.
 */
const SUPERVISOR = `
trap : HUP INT TERM
exec 4<&0
"$@" </dev/null 3>&- 4<&- &
server=$!
echo "$server" >&3
exec 3>&-
(
  trap '' HUP INT TERM
  while read -r _ <&4; do :; done
  kill -INT "$server"
  seconds=0
  while kill -0 "$server" 2>/dev/null; do
    seconds=$((seconds + 1))
    if [ "$seconds" -eq 30 ]; then kill -QUIT "$server"; fi
    if [ "$seconds" -eq 35 ]; then kill -KILL "$server"; fi
    sleep 1
  done
) &
watcher=$!
exec 4<&-
while kill -0 "$server" 2>/dev/null; do
  wait "$server"
  code=$?
done
kill -KILL "$watcher"
exit "$code"
`;

/** The server's messages of one start are looked at; older ones are kept in one more file of at most this size. */
const LOG_LIMIT_BYTES = 10_000_000;

/** A server process that has been started; whether it accepts connections yet is another question. */
export type Server = {
  /** Its process number; undefined when not even the supervisor could be started. */
  pid: Promise<number | undefined>;
  /** Settles when the server is gone, with its exit code where that is known. Rejects when it could not be started. */
  exited: Promise<number | null>;
  /** What the server has written to its log since this start. */
  messages: () => Promise<string>;
  /** Stops it and resolves when it is gone. May be called again. */
  stop: () => Promise<void>;
};

/** Starts the server of a cluster under a supervisor that outlives this process just long enough to stop it. */
export async function launchServer(
  home: Home,
  cluster: Cluster,
  binaries: Binaries,
  settings: Record<string, string>,
): Promise<Server> {
  const logPath = join(home.folder, 'postgres.log');
  if ((await sizeOf(logPath)) > LOG_LIMIT_BYTES) await rename(logPath, `${logPath}.1`);
  const startsAt = await sizeOf(logPath);
  const logFile = await open(logPath, APPEND | NO_LINKS, 0o600);
  // An ordinary user whose database root has started once must be able to write to it again.
  if (home.account !== undefined) await logFile.chown(home.account.uid, home.account.gid);

  const settingArguments = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
  const command = [binaries.postgres, '-D', cluster.folder, ...settingArguments];
  const supervisor = spawn('/bin/sh', ['-c', SUPERVISOR, 'job-scheduler-postgres', ...command], {
    ...childOptions(home.account),
    stdio: ['pipe', logFile.fd, logFile.fd, 'pipe'],
    // A session of its own: neither Ctrl-C nor a kill of our process group reaches it.
    detached: true,
  });
  const gone = new Promise<number | null>((resolve, reject) => {
    supervisor.once('error', reject);
    supervisor.once('exit', resolve);
  });
  await logFile.close();

  const pipe = supervisor.stdin as Socket;
  // EPIPE when the supervisor is killed: its exit is what tells.
  pipe.on('error', () => undefined);
  const pid = readAll(supervisor.stdio[3] as Socket).then((text) => Number.parseInt(text, 10) || undefined);
  const exited = gone.then(async (code) => {
    await endOrphan(await pid, cluster.folder);
    return code;
  });
  // Whoever waits for it sees the failure; nobody may be waiting yet.
  exited.catch(() => undefined);
  // The database alone does not keep the process from ending; the supervisor then stops it.
  supervisor.unref();
  pipe.unref();

  return {
    pid,
    exited,
    messages: () => readFrom(logPath, startsAt),
    stop: async () => {
      supervisor.ref();
      pipe.end();
      await exited.catch(() => undefined);
    },
  };
}

/** A killed supervisor leaves its server behind. */
async function endOrphan(pid: number | undefined, clusterFolder: string): Promise<void> {
  for (;;) {
    const postmaster = await findPostmaster(clusterFolder);
    if (postmaster === undefined || postmaster.pid !== pid) return;
    if (postmaster.status !== 'stopping') sendSignal(pid, 'SIGINT');
    await delay(50);
  }
}

function sendSignal(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if (!hasCode(error, 'ESRCH')) throw error;
  }
}

async function readAll(stream: Socket): Promise<string> {
  let text = '';
  stream.on('error', () => undefined);
  for await (const chunk of stream) text += String(chunk);
  return text;
}

async function sizeOf(path: string): Promise<number> {
  return lstat(path).then(
    ({ size }) => size,
    () => 0,
  );
}

async function readFrom(path: string, position: number): Promise<string> {
  const file = await open(path, READ | NO_LINKS);
  try {
    const { size } = await file.stat();
    const { buffer, bytesRead } = await file.read(
      Buffer.alloc(Math.max(0, size - position)),
      0,
      null,
      position,
    );
    return buffer.toString('utf8', 0, bytesRead);
  } finally {
    await file.close();
  }
}
