import type { Pool } from 'pg';
import type { HealthReport } from './server/health.ts';

export interface HealthCheckOptions {
  pool: Pool;
  version: string;
  /** The engine's loops that have not succeeded for longer than they should. */
  stalledLoops: () => string[];
  isStopping: () => boolean;
}

/** Answers how this instance is doing: asks the database for a sign of life, and the engine whether it ticks. */
export function createHealthCheck(options: HealthCheckOptions): () => Promise<HealthReport> {
  const { pool, version, stalledLoops, isStopping } = options;
  return async () => {
    const database = await checkDatabase(pool);
    const scheduler = checkScheduler(stalledLoops(), isStopping());
    const isUp = database.status === 'UP' && scheduler.status === 'UP';
    return { status: isUp ? 'UP' : 'DOWN', version, uptimeSeconds: process.uptime(), database, scheduler };
  };
}

async function checkDatabase(pool: Pool): Promise<HealthReport['database']> {
  const asked = performance.now();
  try {
    await pool.query('SELECT 1');
    return { status: 'UP', latencyMs: Math.round((performance.now() - asked) * 100) / 100, message: null };
  } catch {
    return { status: 'DOWN', latencyMs: null, message: 'The database does not answer.' };
  }
}

function checkScheduler(stalled: readonly string[], isStopping: boolean): HealthReport['scheduler'] {
  if (isStopping) return { status: 'DOWN', message: 'The scheduler is stopping.' };
  if (stalled.length > 0) return { status: 'DOWN', message: `Not ticking: ${stalled.join(', ')}.` };
  return { status: 'UP', message: null };
}
