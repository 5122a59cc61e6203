import { randomUUID } from 'node:crypto';
import type { Pool } from 'pg';
import { START } from './manual-clock.ts';

/** Gives a job tags without a word in the log, as if it had always had them; unknown ones are created. */
export async function insertJobTags(pool: Pool, jobId: string, names: readonly string[]): Promise<void> {
  for (const name of names) {
    await pool.query(
      'INSERT INTO job_tags (id, name, created_at) VALUES ($1, $2, $3) ON CONFLICT (name) DO NOTHING',
      [randomUUID(), name, START],
    );
  }
  await pool.query(
    'INSERT INTO job_tag_associations (job_id, tag_id) SELECT $1, id FROM job_tags WHERE name = ANY($2)',
    [jobId, names],
  );
}
