import { createHash } from 'node:crypto';
import { uuidV7 } from '../values/uuid-v7.ts';

/**
 * The execution id of a slot: a UUID in v7 layout. Its time is the slot, and its other bits are a hash of job and
 * slot. Every planner gives a slot the same id, also after a failover that lost the last commits. So the target gets
 * the same Idempotency-Key.
 *
 * @param jobId a UUID; its letters may be of either case
 * @throws RangeError when the slot lies before 1970, which the layout cannot hold
 */
export function slotExecutionId(jobId: string, scheduledAt: Date): string {
  const unixMs = scheduledAt.getTime();
  if (!(unixMs >= 0)) throw new RangeError('A slot must be an instant from 1970 on');
  return uuidV7(unixMs, hashSlot('execution id', jobId, unixMs));
}

/**
 * How long after its slot an execution becomes available, to spread jobs that share a schedule. It is a whole number
 * of milliseconds in [0, jitterMs), fixed for job and slot. So a slot that is planned again moves to the same
 * instant.
 */
export function jitterFor(jobId: string, scheduledAt: Date, jitterMs: number): number {
  if (jitterMs <= 0) return 0;
  const draw = hashSlot('jitter', jobId, scheduledAt.getTime()).readUIntBE(0, 6) / 2 ** 48;
  return Math.floor(draw * jitterMs);
}

/** The purpose keeps the two uses apart: nobody can read a jitter from an id. */
function hashSlot(purpose: string, jobId: string, unixMs: number): Buffer {
  return createHash('sha256').update(`${purpose}\n${jobId.toLowerCase()}\n${unixMs}`).digest();
}
