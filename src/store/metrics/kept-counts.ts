import type { KeptCounts } from '../../domain/metrics/kept-counts.ts';
import type { Queryable } from '../statements/sql.ts';

const OF_JOBS = `
-- how many jobs there are, from the counts by status that triggers keep.
SELECT coalesce(sum(jobs), 0)::int AS n FROM job_status_counts WHERE status <> 'DELETED'`;

const OF_EXECUTIONS = `
-- how many executions of a kind there are, from the counts that triggers keep.
SELECT coalesce(sum(executions), 0)::int AS n FROM execution_counts WHERE kind = $1`;

/** Each count is that of the moment at which it is asked for. */
export function createKeptCounts(db: Queryable): KeptCounts {
  const read = async (name: string, text: string, values: unknown[] = []): Promise<number> => {
    const { rows } = await db.query<{ n: number }>({ name, text, values });
    return rows[0]?.n ?? 0;
  };
  return {
    jobs: () => read('count-jobs', OF_JOBS),
    executions: () => read('count-executions', OF_EXECUTIONS, ['ALL']),
    openDeadLetters: () => read('count-executions', OF_EXECUTIONS, ['OPEN_DEAD_LETTER']),
  };
}
