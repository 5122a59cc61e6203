import type { Clock } from '../domain/values/clock.ts';
import type { KeptCounts } from '../domain/metrics/kept-counts.ts';
import type { MetricsReader } from '../domain/metrics/metrics.ts';
import type { SchedulesReader } from '../domain/schedule/planned.ts';
import { readLogPages } from './executions/execution-logs.ts';
import { executionIdsOfJobs } from './executions/executions-of-jobs.ts';
import { readPlannedSchedules } from './jobs/planned-schedules.ts';
import { skippedSlots } from './jobs/skipped-slots.ts';
import { createKeptCounts } from './metrics/kept-counts.ts';
import { createMetricsReader } from './metrics/metrics-reader.ts';
import {
  auditEntryIdsOfJobs,
  deliveryIdsOfAlerts,
  jobIdsOfTags,
  latestExecutionIds,
} from './statements/ids-of-owners.ts';
import { isOverTime } from './statements/slowness.ts';
import type { Queryable } from './statements/sql.ts';
import { readTagBearers, readTagsOfJobs } from './tags/tag-bearers.ts';

type BehindFirst<F extends (db: Queryable, ...asked: never[]) => unknown> = F extends (
  db: Queryable,
  ...asked: infer Asked
) => infer Answer
  ? (...asked: Asked) => Answer
  : never;

/** What the API reads by statements of its own, beside what Prisma reads for it. */
export interface ApiReads {
  metrics: MetricsReader;
  schedules: SchedulesReader;
  keptCounts: KeptCounts;
  latestExecutionIds: BehindFirst<typeof latestExecutionIds>;
  executionIdsOfJobs: BehindFirst<typeof executionIdsOfJobs>;
  auditEntryIdsOfJobs: BehindFirst<typeof auditEntryIdsOfJobs>;
  tagsOfJobs: BehindFirst<typeof readTagsOfJobs>;
  jobIdsOfTags: BehindFirst<typeof jobIdsOfTags>;
  tagBearers: BehindFirst<typeof readTagBearers>;
  deliveryIdsOfAlerts: BehindFirst<typeof deliveryIdsOfAlerts>;
  skippedSlotsOfJobs: BehindFirst<typeof skippedSlots>;
  readLogPages: BehindFirst<typeof readLogPages>;
  isOverTime: (error: unknown) => boolean;
}

/** Binds them all to one pool. */
export function createApiReads(db: Queryable, clock: Clock): ApiReads {
  return {
    metrics: createMetricsReader(db, clock),
    schedules: { plannedSchedules: (asked) => readPlannedSchedules(db, asked) },
    keptCounts: createKeptCounts(db),
    latestExecutionIds: (...asked) => latestExecutionIds(db, ...asked),
    executionIdsOfJobs: (...asked) => executionIdsOfJobs(db, ...asked),
    auditEntryIdsOfJobs: (...asked) => auditEntryIdsOfJobs(db, ...asked),
    tagsOfJobs: (...asked) => readTagsOfJobs(db, ...asked),
    jobIdsOfTags: (...asked) => jobIdsOfTags(db, ...asked),
    tagBearers: (...asked) => readTagBearers(db, ...asked),
    deliveryIdsOfAlerts: (...asked) => deliveryIdsOfAlerts(db, ...asked),
    skippedSlotsOfJobs: (...asked) => skippedSlots(db, ...asked),
    readLogPages: (...asked) => readLogPages(db, ...asked),
    isOverTime,
  };
}
