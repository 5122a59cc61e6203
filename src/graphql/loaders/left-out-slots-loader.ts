import DataLoader from 'dataloader';
import type { Clock } from '../../domain/clock.ts';

/** Per job the future slots that somebody left out. */
export type LeftOutSlotsLoader = DataLoader<string, Date[]>;

/** Reads them for all jobs of an answer by one statement. Remembers nothing: it outlives requests. */
export function createLeftOutSlotsLoader({
  leftOutSlotsOfJobs,
  clock,
}: {
  leftOutSlotsOfJobs: (jobs: readonly { id: string; from: Date }[]) => Promise<Map<string, Date[]>>;
  clock: Clock;
}): LeftOutSlotsLoader {
  return new DataLoader<string, Date[]>(
    async (jobIds) => {
      const from = clock.now();
      const slots = await leftOutSlotsOfJobs([...new Set(jobIds)].map((id) => ({ id, from })));
      return jobIds.map((jobId) => slots.get(jobId) ?? []);
    },
    { cache: false },
  );
}
