export const CONCURRENCY_POLICIES = ['ALLOW', 'FORBID', 'QUEUE', 'REPLACE'] as const;
export type ConcurrencyPolicy = (typeof CONCURRENCY_POLICIES)[number];

/** What a job says about executions that overlap. */
export interface ConcurrencyRule {
  concurrencyPolicy: ConcurrencyPolicy;
  /** Executions that may be unfinished at once; null: one, or any number under ALLOW. */
  maxConcurrency: number | null;
}

/** A job's unfinished executions. */
export interface ConcurrencyLoad {
  running: number;
  /** PENDING and RETRYING: admitted, waiting for their time or for capacity. */
  waiting: number;
  /** BLOCKED: not admitted yet. */
  blocked: number;
  /** Those among all these that somebody runs again: nobody takes their place. */
  redriven: number;
  /** Those among the waiting that make up for missed slots, and have not begun. */
  catchUps: number;
}

/** What becomes of a new execution; `replace`: it runs when those before it have been cancelled, but for redrives. */
export type Admission = 'run' | 'block' | 'skip' | 'replace';

/** A job that is never done in time would otherwise fill the table with what it owes. */
export const MAX_BLOCKED = 1_000;

export const NO_LOAD: ConcurrencyLoad = { running: 0, waiting: 0, blocked: 0, redriven: 0, catchUps: 0 };

/** How many of the job's executions may be admitted at once. */
export function concurrencyLimit({ concurrencyPolicy, maxConcurrency }: ConcurrencyRule): number {
  return maxConcurrency ?? (concurrencyPolicy === 'ALLOW' ? Infinity : 1);
}

/** Whether the job's load has to be known before an execution of it can be admitted. */
export function isLimited(rule: ConcurrencyRule): boolean {
  return concurrencyLimit(rule) < Infinity;
}

/** Decides whether a new execution may run beside those that are not finished. */
export function admit(rule: ConcurrencyRule, { running, waiting, blocked }: ConcurrencyLoad): Admission {
  // Blocked ones count: a newcomer must not pass those that have waited longer.
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

/** Whether the redrives, which keep their places, leave one to the execution that replaces all else. */
export function leavesPlace(rule: ConcurrencyRule, { redriven }: ConcurrencyLoad): boolean {
  return redriven < concurrencyLimit(rule);
}

/**
 * What a slot that is on time finds where it takes the place of catch-ups that have not begun; null where it does not. Under
 * FORBID it would be left out otherwise: behind the backlog of all jobs these may not begin for long, and their job would not
 * run at all meanwhile. Where several may run, what waits need not be all catch-ups, and nobody loses their place.
 */
export function withoutCatchUps(rule: ConcurrencyRule, load: ConcurrencyLoad): ConcurrencyLoad | null {
  if (rule.concurrencyPolicy !== 'FORBID' || concurrencyLimit(rule) > 1) return null;
  if (load.catchUps === 0 || admit(rule, load) === 'run') return null;
  const rest = { ...load, waiting: load.waiting - load.catchUps, catchUps: 0 };
  return admit(rule, rest) === 'run' ? rest : null;
}

/** Why an execution was cancelled, or skipped, in favour of a newer one, for a person. */
export const REPLACED_MESSAGE = 'A newer execution took its place.';

/** Why an execution was skipped, for a person. */
export function overlapMessage(rule: ConcurrencyRule): string {
  return rule.concurrencyPolicy === 'FORBID'
    ? 'An earlier execution was not finished.'
    : `More than ${MAX_BLOCKED} executions were waiting for earlier ones to finish.`;
}
