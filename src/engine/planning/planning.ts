import type { Loop } from '../../async/loop.ts';
import { toStop, type PartOptions } from '../engine-options.ts';
import type { Running } from '../running/running.ts';
import { createPlanner } from './planner.ts';
import { createSlotPrefetch, type SlotPrefetch } from './slot-prefetch.ts';
import { createUnblocker, type Unblocker } from './unblocker.ts';

/** Turns slots into executions, and admits executions that waited for others of their job. */
export interface Planning {
  planner: Loop;
  slotPrefetch: SlotPrefetch;
  unblocker: Unblocker;
}

/** @param running takes the executions of slots that start at once */
export function createPlanning(
  options: PartOptions,
  { worker, lostClaims }: Pick<Running, 'worker' | 'lostClaims'>,
): Planning {
  const { wakeUps, onErrorOf } = options;
  const unblocker = createUnblocker({
    ...options,
    onUnblocked() {
      wakeUps.wake('executions', 'events');
    },
    onError: onErrorOf('unblocker'),
  });
  const slotPrefetch = createSlotPrefetch({
    ...options,
    lostClaims,
    worker,
    onWaiting() {
      wakeUps.wake('executions', 'events');
    },
  });
  const planner = createPlanner({
    ...options,
    slotPrefetch,
    onPlanned({ isAnythingBlocked, isReplacing }) {
      if (isAnythingBlocked) unblocker.wake();
      wakeUps.wake('executions', 'events', ...toStop(isReplacing));
    },
    onError: onErrorOf('planner'),
  });
  return { planner, slotPrefetch, unblocker };
}
