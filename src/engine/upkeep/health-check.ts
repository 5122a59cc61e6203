import type { Pool } from 'pg';
import type { HealthReport } from '../../domain/metrics/health-report.ts';
import type { Statement } from '../../store/statements/sql.ts';

export interface HealthCheckOptions {
  pool: Pool;
  version: string;
  /** Loops of the engine and of the alerts that have not succeeded for longer than they should. */
  stalledLoops: () => string[];
  isStopping: () => boolean;
}

/** Whoever asks waits for seconds, not for as long as the statements of others may take. */
const ANSWER_TIMEOUT_MS = 5_000;

/** Answers how this instance is doing: asks the database for a sign of life, and the loops whether they go on. */
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
    const statement: Statement = { text: 'SELECT 1', query_timeout: ANSWER_TIMEOUT_MS };
    await pool.query(statement);
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
