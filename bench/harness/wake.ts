import { randomUUID } from 'node:crypto';
import { request } from './api.ts';

/**
 * Makes every worker look when the next execution is due: rows that were written past the API wake nobody. The job that is
 * triggered for that calls an address at which nobody listens, and has a limit: a run without one is claimed as it is made,
 * and wakes nobody.
 */
export async function wake(url: string): Promise<void> {
  const { createJob } = await request<{ createJob: { job: { id: string } } }>(
    url,
    'mutation ($input: CreateJobInput!) { createJob(input: $input) { job { id } } }',
    { input: { name: `Wakes ${randomUUID()}`, api: 'http://127.0.0.1:9/', maxConcurrency: 1 } },
  );
  await request(url, 'mutation ($id: ID!) { triggerJob(input: { id: $id }) { execution { id } } }', {
    id: createJob.job.id,
  });
}
