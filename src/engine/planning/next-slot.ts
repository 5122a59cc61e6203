import { plainSlotOf } from '../../domain/schedule/plain-slot.ts';
import { encodePublicId } from '../../domain/values/public-id.ts';
import { createLogger } from '../../logging/logger.ts';
import type { UpcomingJob } from '../../store/executions/planning.ts';
import { prefetchedSlot, type PrefetchedSlot } from '../../store/executions/slot-starting.ts';

const logger = createLogger('Planner');

/**
 * A job's next slot, ready to be sent. Null where it is not a plain one, and where the job cannot be planned at all: that is
 * said when it is due.
 */
export function prefetch(job: UpcomingJob): PrefetchedSlot | null {
  try {
    const slot = plainSlotOf(job);
    return slot && prefetchedSlot({ version: job.version, host: job.host, ...slot });
  } catch (error) {
    logger.debug('A slot cannot be foreseen', { jobId: encodePublicId('Job', job.id), error });
    return null;
  }
}
