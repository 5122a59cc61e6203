import { listOf } from '../../answer-sizes.ts';
import { queryFromInfo } from '@pothos/plugin-prisma';
import type { GraphQLResolveInfo } from 'graphql';
import { MAX_LEFT_OUT, MAX_RULES, type PlannedSchedules } from '../../../domain/schedule/planned.ts';
import {
  MAX_JOBS_PER_BUCKET,
  plannedLoad,
  type PlannedBucket as BucketShape,
} from '../../../domain/schedule/planned-load.ts';
import { plannedRuns, type PlannedRun as RunShape } from '../../../domain/schedule/planned-runs.ts';
import { checkSpan, MAX_BUCKETS } from '../../../domain/metrics/time-buckets.ts';
import { builder } from '../../builder.ts';
import { needs } from '../../roles.ts';
import type { GraphqlContext } from '../../context.ts';
import { badArgument, clientError } from '../../errors.ts';
import { readJobWhere } from '../../filters/job-where.ts';
import { inSlices } from '../../in-slices.ts';
import { readWholeNumber } from '../../whole-number.ts';
import { BAD_ARGUMENT, JOB_NOT_KEPT } from '../shared/error-texts.ts';
import { countAsInt } from '../system/metrics.ts';
import { JobWhere } from '../shared/filter-inputs.ts';
import { Job } from './job.ts';

const DAY_MS = 24 * 3_600_000;
const MAX_SPAN_DAYS = 400;
const DEFAULT_RUNS = 100;
const MAX_RUNS = 1_000;

const WHAT_COUNTS =
  'Jobs that are ACTIVE count, and PAUSED ones from their `pausedUntil` on; slots that were left out do not. What depends on other jobs, runs by hand or catches up is not known ahead.';
const LIMITS = `${BAD_ARGUMENT}, or where \`where\` selects jobs of more than ${MAX_RULES.toLocaleString('en')} different schedules, or schedules that take too long to compute.`;

const PlannedBucket = builder.objectRef<BucketShape>('PlannedBucket').implement({
  description: 'What the schedules name within one bucket.',
  fields: (t) => ({
    from: t.expose('from', { type: 'DateTime', description: 'Where the bucket begins.' }),
    to: t.expose('to', {
      type: 'DateTime',
      description: 'Where it ends, which is the next one’s beginning.',
    }),
    count: t.int({ description: 'Runs in it, of all jobs.', resolve: ({ count }) => countAsInt(count) }),
    jobs: t.field({
      extensions: listOf(20),
      type: [Job],
      description: `Jobs that run in it, ${MAX_JOBS_PER_BUCKET} at most.`,
      resolve: async ({ jobIds }, _args, context, info) => {
        const jobs = await Promise.all(jobIds.map((id) => loadJob(id, context, info)));
        return jobs.filter((job) => job !== null);
      },
    }),
  }),
});

const PlannedRun = builder.objectRef<RunShape>('PlannedRun').implement({
  description: 'A run that a schedule names.',
  fields: (t) => ({
    job: t.field({
      type: Job,
      description: `Whose run it is. ${JOB_NOT_KEPT}.`,
      resolve: async ({ jobId }, _args, context, info) => {
        const job = await loadJob(jobId, context, info);
        if (job === null) throw clientError('NOT_FOUND', 'The job is no longer kept.');
        return job;
      },
    }),
    at: t.expose('at', { type: 'DateTime', description: 'Its slot, to which the job’s jitter is added.' }),
  }),
});

builder.queryField('plannedLoad', (t) =>
  t.field({
    authScopes: needs('VIEWER'),
    extensions: listOf(500),
    type: [PlannedBucket],
    description: `What the schedules name in a span of the future, counted in equal buckets, oldest first, empty ones included; ${MAX_BUCKETS} buckets and ${MAX_SPAN_DAYS} days at most. ${WHAT_COUNTS} ${LIMITS}`,
    args: {
      from: t.arg({
        type: 'DateTime',
        required: true,
        description: 'Where the first bucket begins; what lies in the past does not count.',
      }),
      to: t.arg({
        type: 'DateTime',
        required: true,
        description:
          'Runs at or after it do not count; the last bucket reaches beyond it where the buckets do not fit.',
      }),
      bucketMs: t.arg.int({ required: true, description: 'Length of a bucket in milliseconds, 1 or more.' }),
      where: t.arg({ type: JobWhere, description: 'Only these jobs.' }),
    },
    resolve: async (_root, { from, to, bucketMs, where }, { schedules, clock }) => {
      const span = { from, to, bucketMs };
      const problem = checkSpan(span);
      if (problem) throw badArgument(problem.field, problem.message);
      if (to.getTime() - from.getTime() > MAX_SPAN_DAYS * DAY_MS)
        throw badArgument('to', `must be no more than ${MAX_SPAN_DAYS} days after from.`);
      const planned = await schedules.plannedSchedules({
        condition: readJobWhere(where),
        from: later(from, clock.now()),
        to,
        idsPerRule: MAX_JOBS_PER_BUCKET,
        firstJobs: null,
      });
      return given(await inSlices(plannedLoad(fewEnough(planned), span)));
    },
  }),
);

builder.queryField('plannedRuns', (t) =>
  t.field({
    authScopes: needs('VIEWER'),
    type: [PlannedRun],
    description: `The next runs across jobs, soonest first. ${WHAT_COUNTS} ${LIMITS}`,
    args: {
      from: t.arg({
        type: 'DateTime',
        description: 'Runs at or after it; now, where it is left out or past.',
      }),
      to: t.arg({ type: 'DateTime', description: 'Only runs before it.' }),
      where: t.arg({ type: JobWhere, description: 'Only of these jobs.' }),
      limit: t.arg.int({
        defaultValue: DEFAULT_RUNS,
        description: `Runs at most, 1 to ${MAX_RUNS}.`,
      }),
    },
    resolve: async (_root, { from, to, where, limit }, { schedules, clock }) => {
      const now = clock.now();
      const asked = {
        from: later(from ?? now, now),
        to: to ?? null,
        limit: readWholeNumber('limit', limit, { min: 1, max: MAX_RUNS, fallback: DEFAULT_RUNS }),
      };
      if (from && to && to <= from) throw badArgument('to', 'must be after from.');
      const planned = await schedules.plannedSchedules({
        ...asked,
        condition: readJobWhere(where),
        idsPerRule: asked.limit,
        // From now on, each job begins with its next run: only those whose next run is among the first can be.
        firstJobs: asked.from <= now ? asked.limit : null,
      });
      return given(await inSlices(plannedRuns(fewEnough(planned), asked)));
    },
  }),
);

function fewEnough(planned: PlannedSchedules | null): PlannedSchedules {
  if (planned !== null) return planned;
  throw badArgument(
    'where',
    `selects jobs of more than ${MAX_RULES} different schedules, or with more than ${MAX_LEFT_OUT} slots that were left out; select fewer.`,
  );
}

function given<T>(result: T | null): T {
  if (result !== null) return result;
  throw badArgument(
    'where',
    'selects schedules that take too long to compute; select fewer, or a shorter span.',
  );
}

function later(a: Date, b: Date): Date {
  return a > b ? a : b;
}

async function loadJob(id: string, context: GraphqlContext, info: GraphQLResolveInfo) {
  const { select } = queryFromInfo({ context, info, select: { id: true } });
  return context.jobLoader.load({ id, select });
}
