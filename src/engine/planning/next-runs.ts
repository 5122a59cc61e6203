import { earliest } from '../../domain/schedule/earliest.ts';
import type { NextPlanning } from '../../store/executions/planning.ts';

/** The next runs and pause ends without the prefetched slots, from the last look. Later changes only add to them. */
export class NextRuns {
  #next: NextPlanning = { runAt: null, pauseEndsAt: null };
  /** The number of wake-ups of the planner, and how many of them the last look covers. */
  #wakeUps = 0;
  #covered = 0;

  get runAt(): Date | null {
    return this.#next.runAt;
  }

  get pauseEndsAt(): Date | null {
    return this.#next.pauseEndsAt;
  }

  /** Whether nobody has woken the planner since the last look. */
  get isCurrent(): boolean {
    return this.#covered === this.#wakeUps;
  }

  noteWakeUp(): void {
    this.#wakeUps += 1;
  }

  /** Stores the result of a look, which covers all earlier wake-ups. Returns false when the look has no result. */
  async look(find: () => Promise<NextPlanning | null>): Promise<boolean> {
    const covers = this.#wakeUps;
    const found = await find();
    if (found === null) return false;
    this.#next = found;
    this.#covered = covers;
    return true;
  }

  /** Adds an instant at which a job is due. */
  addRun(runAt: Date | null): void {
    this.#next = { ...this.#next, runAt: earliest(this.#next.runAt, runAt) };
  }

  setPauseEnd(pauseEndsAt: Date | null): void {
    this.#next = { ...this.#next, pauseEndsAt };
  }
}
