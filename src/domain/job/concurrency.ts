export const CONCURRENCY_POLICIES = ['ALLOW', 'FORBID', 'QUEUE', 'REPLACE'] as const;
export type ConcurrencyPolicy = (typeof CONCURRENCY_POLICIES)[number];

/** A job's rule for executions that overlap. */
export interface ConcurrencyRule {
  concurrencyPolicy: ConcurrencyPolicy;
  /** How many executions may be unfinished at once; null: one, or any number under ALLOW. */
  maxConcurrency: number | null;
}

/** A job's unfinished executions. */
export interface ConcurrencyLoad {
  running: number;
  /** PENDING and RETRYING: admitted, waiting for their time or for capacity. */
  waiting: number;
  /** BLOCKED: not admitted yet. */
  blocked: number;
  /** How many of all these are redrives. No other execution takes their place. */
  redriven: number;
  /** How many of the waiting ones are for missed slots and have not begun. */
  catchUps: number;
}

/** The decision about a new execution. `replace`: it runs after the earlier ones are cancelled, except redrives. */
export type Admission = 'run' | 'block' | 'skip' | 'replace';

/** How many executions may be BLOCKED. Without a limit, a job that is always too slow would fill the table. */
export const MAX_BLOCKED = 1_000;

export const NO_LOAD: ConcurrencyLoad = { running: 0, waiting: 0, blocked: 0, redriven: 0, catchUps: 0 };

/** How many of the job's executions may be admitted at once. */
export function concurrencyLimit({ concurrencyPolicy, maxConcurrency }: ConcurrencyRule): number {
  return maxConcurrency ?? (concurrencyPolicy === 'ALLOW' ? Infinity : 1);
}

/** Whether an admission depends on the job's load. */
export function isLimited(rule: ConcurrencyRule): boolean {
  return concurrencyLimit(rule) < Infinity;
}

/** Decides whether a new execution may run beside the unfinished ones. */
export function admit(rule: ConcurrencyRule, { running, waiting, blocked }: ConcurrencyLoad): Admission {
  // Blocked ones count: a new execution must not overtake those that wait longer.
  if (running + waiting + blocked < concurrencyLimit(rule)) return 'run';
  switch (rule.concurrencyPolicy) {
    case 'FORBID':
      return 'skip';
    case 'REPLACE':
      return 'replace';
    case 'ALLOW':
    case 'QUEUE':
      return blocked < MAX_BLOCKED ? 'block' : 'skip';
  }
}

/** Whether the redrives, which keep their places, leave a place to the execution that replaces the others. */
export function leavesPlace(rule: ConcurrencyRule, { redriven }: ConcurrencyLoad): boolean {
  return redriven < concurrencyLimit(rule);
}

/**
 * The load after an on-time slot takes the place of catch-ups that have not begun; null when it does not. Without
 * this, FORBID would skip the slot: the catch-ups may wait long behind the backlog of all jobs, and their job would
 * not run. When several may run at once, no execution loses its place.
 */
export function withoutCatchUps(rule: ConcurrencyRule, load: ConcurrencyLoad): ConcurrencyLoad | null {
  if (rule.concurrencyPolicy !== 'FORBID' || concurrencyLimit(rule) > 1) return null;
  if (load.catchUps === 0 || admit(rule, load) === 'run') return null;
  const rest = { ...load, waiting: load.waiting - load.catchUps, catchUps: 0 };
  return admit(rule, rest) === 'run' ? rest : null;
}

/** Why an execution was cancelled or skipped in favour of a newer one, in words. */
export const REPLACED_MESSAGE = 'A newer execution took its place.';

/** Why an execution was skipped, in words. */
export function overlapMessage(rule: ConcurrencyRule): string {
  return rule.concurrencyPolicy === 'FORBID'
    ? 'An earlier execution was not finished.'
    : `More than ${MAX_BLOCKED} executions were waiting for earlier ones to finish.`;
}
