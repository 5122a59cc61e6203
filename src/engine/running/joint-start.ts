import { performance, type EventLoopUtilization } from 'node:perf_hooks';

/** Starts the calls that take the places of ended ones: at once, or several together when that is faster. */
export interface JointStart {
  /** Says that one of `underWay` calls has ended. `start` gives its place to another call. */
  add: (start: () => void, underWay: number) => void;
}

export interface JointStartOptions {
  /** The share of the time since the last question in which the event loop was busy. */
  loopUtilization?: () => number;
  monotonicMs?: () => number;
  /** Runs something after so many milliseconds. */
  later?: (run: () => void, ms: number) => void;
}

/** The event loop is the bottleneck from the first share on, until it falls below the second. */
const BUSY_FROM = 0.9;
const BUSY_UNTIL = 0.6;
const LOOK_EVERY_MS = 25;

/** A place stays free at most this long, and only until this share of all places is free. */
const GATHER_MS = 1;
const GATHER_SHARE = 1 / 2;

/**
 * Calls that start together cost a third less processor time than calls that start one by one: their requests and
 * answers need fewer turns of the event loop. But each place then stays free for a moment, which is lost time for few
 * slow calls. So places are gathered only while the event loop is the bottleneck.
 */
export function createJointStart(options: JointStartOptions = {}): JointStart {
  const { loopUtilization = createUtilizationMeter(), monotonicMs = () => performance.now() } = options;
  const { later = runLater } = options;
  let starts: (() => void)[] = [];
  let isWaiting = false;
  let isBusy = false;
  let lookedAtMs = monotonicMs();

  function look(): void {
    const nowMs = monotonicMs();
    if (nowMs - lookedAtMs < LOOK_EVERY_MS) return;
    lookedAtMs = nowMs;
    isBusy = loopUtilization() >= (isBusy ? BUSY_UNTIL : BUSY_FROM);
  }

  function startAll(): void {
    const gathered = starts;
    starts = [];
    for (const start of gathered) start();
  }

  return {
    add(start, underWay) {
      look();
      starts.push(start);
      if (!isBusy || starts.length >= (starts.length + underWay) * GATHER_SHARE) {
        startAll();
      } else if (!isWaiting) {
        isWaiting = true;
        later(() => {
          isWaiting = false;
          startAll();
        }, GATHER_MS);
      }
    },
  };
}

function runLater(run: () => void, ms: number): void {
  setTimeout(run, ms);
}

function createUtilizationMeter(): () => number {
  let last: EventLoopUtilization = performance.eventLoopUtilization();
  return () => {
    const { utilization } = performance.eventLoopUtilization(last);
    last = performance.eventLoopUtilization();
    return utilization;
  };
}
