import { createLoop, type Loop } from '../../async/loop.ts';
import { toStop, type PartOptions } from '../engine-options.ts';
import { createLostClaims, type LostClaims } from './lost-claims.ts';
import { createSettler, type Settler } from './settler.ts';
import { createWorker, type Worker } from './worker.ts';

/** Claims executions, calls their targets and records the outcomes. */
export interface Running {
  worker: Worker;
  settler: Settler;
  lostClaims: LostClaims;
  /** Gives back executions that wait for a place at a host that does not answer. */
  placeWatch: Loop;
  /** Ends the calls whose leases are over. */
  leaseWatch: Loop;
}

export interface RunningOptions extends PartOptions {
  /** Whether calls wait for a place at a host that answers, or due slots are about to start. */
  isPressed: () => boolean;
  /** Called after outcomes were recorded. Executions that waited for others of their job may run. */
  onRecorded: () => void;
  /** Called when an execution begins to wait for its callback. */
  onAwaiting: () => void;
}

/** The time between two looks at executions that wait for a place. */
const PLACE_WATCH_MS = 1_000;

/** Outcomes that come faster are recorded together, because each statement costs the database a flush to disk. */
const GATHER_MS = 50;

export function createRunning(options: RunningOptions): Running {
  const { pool, wakeUps, onErrorOf } = options;
  const settler = createSettler({
    db: pool,
    settleUpstream: options.settleUpstream,
    pause: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
    gatherMs: GATHER_MS,
    isPressed: options.isPressed,
    areMoreNear: () => worker.isInFlight(),
    onRecorded(settlements) {
      options.onRecorded();
      // The retry may be available before the execution that the worker waits for.
      if (settlements.some(({ status }) => status === 'RETRYING')) worker.wake();
      // The execution was given back. Another instance can claim it now and need not wait for its next poll.
      if (settlements.some(({ status }) => status === 'PENDING')) wakeUps.wake('executions', 'events');
      else wakeUps.wake('events');
    },
    onAwaiting() {
      options.onAwaiting();
      wakeUps.wake('events');
    },
    onPlanned({ isReplacing }) {
      wakeUps.wake('executions', 'blocked', ...toStop(isReplacing));
    },
  });
  const lostClaims = createLostClaims({
    ...options,
    db: pool,
    settler,
    holds: (claim) => worker.holds(claim),
    onError: onErrorOf('lost claims'),
  });
  const worker = createWorker({
    ...options,
    settler,
    lostClaims,
    onClaimed() {
      wakeUps.wake('events');
    },
    onError: onErrorOf('worker'),
  });
  const placeWatch = createLoop({
    name: 'place watch',
    step() {
      worker.giveBackStuck();
      return Promise.resolve(PLACE_WATCH_MS);
    },
    onError: onErrorOf('place watch'),
  });
  const leaseWatch = createLoop({
    name: 'lease watch',
    step: () => Promise.resolve(worker.endOverdue()),
    onError: onErrorOf('lease watch'),
  });
  return { worker, settler, lostClaims, placeWatch, leaseWatch };
}
