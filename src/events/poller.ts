import type { Clock } from '../domain/values/clock.ts';
import { createLoop, extendLoop, type Loop } from '../async/loop.ts';
import { readNextDue, type NextDue } from '../store/jobs/next-due.ts';
import type { Queryable } from '../store/statements/sql.ts';

/** How long a loop that the poller serves rests at most: it looks by itself then, should nobody have told it of something. */
export const LONGEST_REST_MS = 600_000;

/** Whether, or from when on, an outlook holds something to do for a loop. */
type DueAt = (nextDue: NextDue) => Date | boolean | null;

export interface PollerOptions {
  db: Queryable;
  clock: Clock;
  /** Between two looks. */
  intervalMs: number;
  onError: (error: unknown) => void;
}

/**
 * Looks for all loops together whether there is something to do that nobody has told them of: a wake-up may be lost, and
 * what another instance knows dies with it. One statement, where each loop by itself would need several.
 */
export interface Poller extends Loop {
  /** Tells somebody of each look who decides for himself what to do about it, and when. */
  onLook: (hear: (nextDue: NextDue) => void) => void;
  /** Wakes `loop` with each look that finds its work due before the next look, or already past. */
  serve: (loop: Pick<Loop, 'wake'>, dueAt: DueAt) => void;
}

export function createPoller({ db, clock, intervalMs, onError }: PollerOptions): Poller {
  const served: { loop: Pick<Loop, 'wake'>; dueAt: DueAt }[] = [];
  const told: ((nextDue: NextDue) => void)[] = [];

  async function step(): Promise<number> {
    const nextDue = await readNextDue(db);
    for (const hear of told) hear(nextDue);
    const nextLookAt = clock.now().getTime() + intervalMs;
    for (const { loop, dueAt } of served) {
      const due = dueAt(nextDue);
      if (due instanceof Date ? due.getTime() < nextLookAt : due) loop.wake();
    }
    return intervalMs;
  }

  const loop = createLoop({ name: 'poller', step, onError });
  return extendLoop(loop, {
    onLook(hear) {
      told.push(hear);
    },
    serve(loop, dueAt) {
      served.push({ loop, dueAt });
    },
  });
}
