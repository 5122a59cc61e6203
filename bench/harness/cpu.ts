import { readdirSync, readFileSync } from 'node:fs';

/** A clock tick of /proc in milliseconds: Linux counts in hundredths of a second everywhere that node runs. */
const TICK_MS = 10;

type Process = { parent: number; ticks: number; waitedTicks: number };

/** Processor time that a process has used, that of its threads included. */
export function cpuMsOf(pid: number): number {
  return readProcess(pid).ticks * TICK_MS;
}

/** The same of a process and all below it, those included that have ended: PostgreSQL's sessions are processes. */
export function cpuMsOfTree(root: number): number {
  const processes = new Map<number, Process>();
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    try {
      processes.set(Number(name), readProcess(Number(name)));
    } catch {
      // It ended between the two looks; its parent has its time then.
    }
  }
  let ticks = 0;
  for (const [pid, { ticks: own, waitedTicks }] of processes) {
    if (isBelow(pid, root, processes)) ticks += own + waitedTicks;
  }
  return ticks * TICK_MS;
}

/** What a process holds of memory at this moment. */
export function residentMiB(pid: number): number {
  const [, resident = '0'] = readFileSync(`/proc/${pid}/statm`, 'utf8').split(' ');
  return (Number(resident) * 4_096) / 2 ** 20;
}

function isBelow(pid: number, root: number, processes: ReadonlyMap<number, Process>): boolean {
  for (let at = pid; at > 1; at = processes.get(at)?.parent ?? 0) if (at === root) return true;
  return false;
}

/** The name stands in brackets and may hold anything, blanks included: fields are counted from behind it. */
function readProcess(pid: number): Process {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const fields = stat
    .slice(stat.lastIndexOf(')') + 2)
    .split(' ')
    .map(Number);
  const [, parent = 0] = fields;
  const [user = 0, system = 0, childrenUser = 0, childrenSystem = 0] = fields.slice(11, 15);
  return { parent, ticks: user + system, waitedTicks: childrenUser + childrenSystem };
}
