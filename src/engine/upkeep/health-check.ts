import { open } from 'node:fs/promises';
import { devNull } from 'node:os';
import type { Pool } from 'pg';
import type { HealthReport } from '../../domain/metrics/health-report.ts';
import { probeWrite } from '../../store/upkeep/write-probe.ts';

export interface HealthCheckOptions {
  pool: Pool;
  instanceId: string;
  version: string;
  /** The names of loops of engine and alerts without a success for too long. */
  stalledLoops: () => string[];
  isStopping: () => boolean;
}

/** A health check waits only seconds, not as long as other statements may take. */
const ANSWER_TIMEOUT_MS = 1_800;

/** With fewer free descriptors, a handful of calls uses them up. A new connection can still get this answer. */
const FEWEST_DESCRIPTORS = 8;

/** The database's error codes for a write, and their meaning. */
const REASONS: Readonly<Record<string, string>> = {
  '25006': 'The database is read-only: it is a standby, or default_transaction_read_only is on.',
  '53100': 'The disk of the database is full.',
  '53200': 'The database is out of memory.',
  '53300': 'The database has no connection left.',
  '55P03': 'Another session has locked tables that the scheduler writes.',
  '42501': 'The database user may not write.',
};

/**
 * Checks this instance: whether the database takes a write, whether this process can open a connection, and whether
 * the loops work.
 */
export function createHealthCheck(options: HealthCheckOptions): () => Promise<HealthReport> {
  const { version, stalledLoops, isStopping } = options;
  return async () => {
    const [database, fault] = await Promise.all([checkDatabase(options), findInstanceFault()]);
    const scheduler = checkScheduler(fault, stalledLoops(), isStopping());
    const isUp = database.status === 'UP' && scheduler.status === 'UP';
    return { status: isUp ? 'UP' : 'DOWN', version, uptimeSeconds: process.uptime(), database, scheduler };
  };
}

async function checkDatabase({ pool, instanceId }: HealthCheckOptions): Promise<HealthReport['database']> {
  const asked = performance.now();
  try {
    await inTime(probeWrite(pool, instanceId, ANSWER_TIMEOUT_MS));
    return { status: 'UP', latencyMs: Math.round((performance.now() - asked) * 100) / 100, message: null };
  } catch (error) {
    return { status: 'DOWN', latencyMs: null, message: reasonOf(error) };
  }
}

/** Ends the wait for a write that takes too long. The write itself has its own limits. */
async function inTime(probe: Promise<void>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => {
      reject(new Error('No answer in time'));
    }, ANSWER_TIMEOUT_MS);
  });
  try {
    await Promise.race([probe, timeout]);
  } finally {
    clearTimeout(timer);
  }
}

function reasonOf(error: unknown): string {
  const reason = error instanceof Error && 'code' in error ? REASONS[String(error.code)] : undefined;
  return reason ?? 'The database does not answer.';
}

/** What keeps this process from opening connections; null when nothing does. */
async function findInstanceFault(): Promise<string | null> {
  const tries = Array.from({ length: FEWEST_DESCRIPTORS }, () => open(devNull, 'r'));
  const opened = await Promise.allSettled(tries);
  for (const each of opened) if (each.status === 'fulfilled') await each.value.close();
  return opened.every(({ status }) => status === 'fulfilled')
    ? null
    : 'No file descriptor is free: raise the limit of open files (ulimit -n).';
}

function checkScheduler(
  fault: string | null,
  stalled: readonly string[],
  isStopping: boolean,
): HealthReport['scheduler'] {
  if (isStopping) return { status: 'DOWN', message: 'The scheduler is stopping.' };
  if (fault !== null) return { status: 'DOWN', message: fault };
  if (stalled.length > 0) return { status: 'DOWN', message: `Not ticking: ${stalled.join(', ')}.` };
  return { status: 'UP', message: null };
}
