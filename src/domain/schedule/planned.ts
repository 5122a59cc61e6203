import type { Condition } from '../values/condition.ts';
import type { JobField } from '../execution/filter-fields.ts';
import type { SlotRule } from './schedule-slots.ts';

/** Jobs that run at the same instants within a span of the future: their slots are computed once for all of them. */
export interface PlannedRule {
  rule: SlotRule;
  jobs: number;
  /** Some of them, or all: as many as were asked for. */
  jobIds: string[];
}

/** A slot that somebody left out, with the rule of its job, which may have changed since and not name it any more. */
export interface Skipped {
  jobId: string;
  scheduledAt: Date;
  rule: SlotRule;
}

/** What the schedules of jobs name within a span. */
export interface PlannedSchedules {
  /** To be read once: each is computed when it is reached, so that whoever reads them can let others have their turn. */
  rules: Iterable<PlannedRule>;
  skipped: Skipped[];
}

/** Of which jobs, and over which span, schedules are asked for. */
export interface AskedSchedules {
  condition: Condition<JobField>;
  from: Date;
  /** Null for a span without end. */
  to: Date | null;
  /** How many ids of each rule's jobs are wanted. */
  idsPerRule: number;
  /** Only so many jobs are needed, those that run first; null for all. */
  firstJobs: number | null;
}

/** Distinct rules that are looked at: more take too long to compute with, and too much memory. */
export const MAX_RULES = 50_000;
/** Slots that were left out within a span: as many as anybody leaves out by hand, and more. */
export const MAX_LEFT_OUT = 10_000;

export interface SchedulesReader {
  /** The schedules of active jobs, and of paused ones from the end of their pause on; null where they are too many. */
  plannedSchedules: (asked: AskedSchedules) => Promise<PlannedSchedules | null>;
}
