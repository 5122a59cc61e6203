import type { Loop } from '../../async/loop.ts';
import { toStop, type PartOptions } from '../engine-options.ts';
import type { Worker } from '../running/worker.ts';
import { createCallbackWatch } from './callback-watch.ts';
import { createHeartbeat, type Heartbeat } from './heartbeat.ts';
import { createLeaseKeeper } from './lease-keeper.ts';
import { createPruner } from './pruner.ts';
import { createRescuer, type Rescuer } from './rescuer.ts';

/** Keeps the leases of claims, rescues executions of lost instances, and deletes rows past their retention. */
export interface Upkeep {
  leaseKeeper: Loop;
  rescuer: Rescuer;
  callbackWatch: Loop;
  heartbeat: Heartbeat;
  pruner: Loop;
}

export function createUpkeep(options: PartOptions, worker: Worker): Upkeep {
  const { wakeUps, onErrorOf } = options;
  const noteEnds = ({ isReplacing }: { isReplacing: boolean }) => {
    wakeUps.wake('executions', 'blocked', 'events', ...toStop(isReplacing));
  };
  return {
    leaseKeeper: createLeaseKeeper({
      ...options,
      db: options.leasePool,
      worker,
      onError: onErrorOf('lease keeper'),
    }),
    rescuer: createRescuer({
      ...options,
      held: worker.held,
      onRescued: noteEnds,
      onError: onErrorOf('rescuer'),
    }),
    callbackWatch: createCallbackWatch({
      ...options,
      onEnded: noteEnds,
      onError: onErrorOf('callback watch'),
    }),
    heartbeat: createHeartbeat({
      ...options,
      intervalMs: options.heartbeatIntervalMs,
      runningExecutions: () => worker.held().length,
      onOthers: wakeUps.noteOthers,
      onError: onErrorOf('heartbeat'),
    }),
    pruner: createPruner({ ...options, onError: onErrorOf('pruner') }),
  };
}
