import DataLoader from 'dataloader';
import type { Clock } from '../../domain/values/clock.ts';

/** Per job the future slots that somebody left out. */
export type SkippedSlotsLoader = DataLoader<string, Date[]>;

/** Reads them for all jobs of an answer by one statement. Remembers nothing: it outlives requests. */
export function createSkippedSlotsLoader({
  skippedSlotsOfJobs,
  clock,
}: {
  skippedSlotsOfJobs: (jobs: readonly { id: string; from: Date }[]) => Promise<Map<string, Date[]>>;
  clock: Clock;
}): SkippedSlotsLoader {
  return new DataLoader<string, Date[]>(
    async (jobIds) => {
      const from = clock.now();
      const slots = await skippedSlotsOfJobs([...new Set(jobIds)].map((id) => ({ id, from })));
      return jobIds.map((jobId) => slots.get(jobId) ?? []);
    },
    { cache: false },
  );
}
