import { earliest } from '../../domain/schedule/earliest.ts';
import type { NextPlanning } from '../../store/executions/planning.ts';

/** What comes next apart from prefetched slots, as of the last look. A later change can only add to it. */
export class NextRuns {
  #next: NextPlanning = { runAt: null, pauseEndsAt: null };
  /** How often the planner was woken, and how many of these wake-ups the last look covers. */
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

  /** Takes what a look finds, which covers the wake-ups before it; answers false where it finds nothing to go by. */
  async look(find: () => Promise<NextPlanning | null>): Promise<boolean> {
    const covers = this.#wakeUps;
    const found = await find();
    if (found === null) return false;
    this.#next = found;
    this.#covered = covers;
    return true;
  }

  /** A job is known to be due then. */
  addRun(runAt: Date | null): void {
    this.#next = { ...this.#next, runAt: earliest(this.#next.runAt, runAt) };
  }

  setPauseEnd(pauseEndsAt: Date | null): void {
    this.#next = { ...this.#next, pauseEndsAt };
  }
}
