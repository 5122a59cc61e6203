import { readdir, readFile, readlink } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { onTestFinished } from 'vitest';

const SAMPLE_MS = 25;
const MB = 1024 * 1024;

/** What a process holds of the machine's memory, in megabytes, as the kernel counts it. */
export async function residentMb(pid: number): Promise<number> {
  const kilobytes = /^VmRSS:\s+(\d+) kB$/m.exec(await readFile(`/proc/${pid}/status`, 'utf8'))?.[1];
  return (Number(kilobytes) * 1024) / MB;
}

/** How many sockets a process has open to any of these ports, in whatever state. */
export async function socketsTo(pid: number, ports: ReadonlySet<number>): Promise<number> {
  const folder = `/proc/${pid}/fd`;
  const links = await Promise.all(
    // One that was closed since the listing is none.
    (await readdir(folder)).map((name) => readlink(`${folder}/${name}`).catch(() => '')),
  );
  const own = new Set(links.flatMap((link) => /^socket:\[(\d+)\]$/.exec(link)?.[1] ?? []));
  const [, ...connections] = (await readFile(`/proc/${pid}/net/tcp`, 'utf8')).trimEnd().split('\n');
  return connections.filter((line) => {
    const [, , remote = '', , , , , , , inode = ''] = line.trim().split(/\s+/);
    return own.has(inode) && ports.has(Number.parseInt(remote.split(':')[1] ?? '', 16));
  }).length;
}

/** The most that a process has held of memory, and of sockets to some ports, since the watch began. */
export type ProcessWatch = { peak: { residentMb: number; sockets: number }; stop: () => Promise<void> };

export function watchProcess(pid: number, ports: ReadonlySet<number>): ProcessWatch {
  const peak = { residentMb: 0, sockets: 0 };
  const state = { isWatching: true };
  const watching = (async () => {
    while (state.isWatching) {
      peak.residentMb = Math.max(peak.residentMb, await residentMb(pid));
      peak.sockets = Math.max(peak.sockets, await socketsTo(pid, ports));
      await delay(SAMPLE_MS);
    }
  })();
  const stop = () => {
    state.isWatching = false;
    return watching;
  };
  onTestFinished(stop);
  return { peak, stop };
}
