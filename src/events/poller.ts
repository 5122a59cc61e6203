import type { Clock } from '../domain/values/clock.ts';
import { createLoop, extendLoop, type Loop } from '../async/loop.ts';
import { readNextDue, type NextDue } from '../store/jobs/next-due.ts';
import type { Queryable } from '../store/statements/sql.ts';

/** How long a loop that the poller serves rests at most. Then it looks by itself, in case a wake-up was lost. */
export const LONGEST_REST_MS = 600_000;

/** Whether there is something to do for a loop now, or from when on. */
type DueAt = (nextDue: NextDue) => Date | boolean | null;

export interface PollerOptions {
  db: Queryable;
  clock: Clock;
  /** Between two looks. */
  intervalMs: number;
  onError: (error: unknown) => void;
}

/**
 * Looks for all loops together whether there is due work that no wake-up has announced: a wake-up may be lost, and
 * what another instance knows dies with it. One statement, where each loop by itself would need several.
 */
export interface Poller extends Loop {
  /** Calls `listener` after each look; it decides what to do, and when. */
  onLook: (listener: (nextDue: NextDue) => void) => void;
  /** Wakes `loop` with each look that finds its work due before the next look, or already past. */
  serve: (loop: Pick<Loop, 'wake'>, dueAt: DueAt) => void;
}

export function createPoller({ db, clock, intervalMs, onError }: PollerOptions): Poller {
  const served: { loop: Pick<Loop, 'wake'>; dueAt: DueAt }[] = [];
  const listeners: ((nextDue: NextDue) => void)[] = [];

  async function step(): Promise<number> {
    const nextDue = await readNextDue(db);
    for (const listener of listeners) listener(nextDue);
    const nextLookAt = clock.now().getTime() + intervalMs;
    for (const { loop, dueAt } of served) {
      const due = dueAt(nextDue);
      if (due instanceof Date ? due.getTime() < nextLookAt : due) loop.wake();
    }
    return intervalMs;
  }

  const loop = createLoop({ name: 'poller', step, onError });
  return extendLoop(loop, {
    onLook(listener) {
      listeners.push(listener);
    },
    serve(loop, dueAt) {
      served.push({ loop, dueAt });
    },
  });
}
