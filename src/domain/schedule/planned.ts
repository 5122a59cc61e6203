import type { Condition } from '../values/condition.ts';
import type { JobField } from '../execution/filter-fields.ts';
import type { SlotRule } from './schedule-slots.ts';

/** Jobs that run at the same instants within a span of the future. Their slots are computed once for all of them. */
export interface PlannedRule {
  rule: SlotRule;
  jobs: number;
  /** As many ids as the reader asked for. */
  jobIds: string[];
}

/** A slot that a user skipped, with the rule of its job. The rule may no longer name the slot, after a change. */
export interface Skipped {
  jobId: string;
  scheduledAt: Date;
  rule: SlotRule;
}

/** The planned slots of jobs within a span. */
export interface PlannedSchedules {
  /** Can be read once. Each rule is computed when the reader reaches it, so other work can run in between. */
  rules: Iterable<PlannedRule>;
  skipped: Skipped[];
}

/** Which jobs and which span a reader asks for. */
export interface AskedSchedules {
  condition: Condition<JobField>;
  from: Date;
  /** Null for a span without end. */
  to: Date | null;
  /** How many job ids each rule names. */
  idsPerRule: number;
  /** How many jobs the reader needs, those that run first; null for all. */
  firstJobs: number | null;
}

/** The most distinct rules of one request. More would take too long and too much memory. */
export const MAX_RULES = 50_000;
/** The most skipped slots within a span. Nobody skips so many by hand. */
export const MAX_LEFT_OUT = 10_000;

export interface SchedulesReader {
  /** The schedules of active jobs, and of paused jobs from the end of their pause on; null when there are too many. */
  plannedSchedules: (asked: AskedSchedules) => Promise<PlannedSchedules | null>;
}
