import { listOf } from '../../answer-sizes.ts';
import type { AskedMetrics } from '../../../domain/metrics/metrics.ts';
import {
  averageMs,
  endedCount,
  type EndCounts,
  seriesOf,
  successRate,
  totalOf,
} from '../../../domain/metrics/metrics-series.ts';
import { builder } from '../../builder.ts';
import type { GraphqlContext } from '../../context.ts';
import { countAsInt, MetricsBucket, Percentiles } from '../system/metrics.ts';

export const JobMetrics = builder.objectRef<AskedMetrics>('JobMetrics').implement({
  description:
    'Figures of a job’s executions that ended within a window, whether they are still kept or not. An execution counts where its `finishedAt` lies; what is unfinished does not count yet.',
  fields: (t) => ({
    totalExecutions: t.int({
      description: 'Executions that ended, as SUCCESS, FAILED, CANCELLED or SKIPPED.',
      resolve: async (asked, _args, context) => countAsInt(endedCount(await totalsOf(asked, context))),
    }),
    successfulExecutions: t.int({
      description: 'Executions that ended as SUCCESS.',
      resolve: async (asked, _args, context) => countAsInt((await totalsOf(asked, context)).success),
    }),
    failedExecutions: t.int({
      description: 'Executions that ended as FAILED.',
      resolve: async (asked, _args, context) => countAsInt((await totalsOf(asked, context)).failed),
    }),
    cancelledExecutions: t.int({
      description: 'Executions that ended as CANCELLED.',
      resolve: async (asked, _args, context) => countAsInt((await totalsOf(asked, context)).cancelled),
    }),
    skippedExecutions: t.int({
      description: 'Executions that ended as SKIPPED; one that stands for several slots counts once.',
      resolve: async (asked, _args, context) => countAsInt((await totalsOf(asked, context)).skipped),
    }),
    successRate: t.float({
      nullable: true,
      description: 'SUCCESS against SUCCESS plus FAILED, in percent; null where there was neither.',
      resolve: async (asked, _args, context) => successRate(await totalsOf(asked, context)),
    }),
    avgExecutionTimeMs: t.float({
      nullable: true,
      description: 'Mean `durationMs` of those that succeeded or failed; null where none did.',
      resolve: async (asked, _args, context) => averageMs(await totalsOf(asked, context)),
    }),
    executionTimeMs: t.field({
      type: Percentiles,
      nullable: true,
      description: 'How the `durationMs` of those that succeeded or failed spread; null where none did.',
      resolve: async (asked, _args, { metricsLoaders }) =>
        (await metricsLoaders.percentiles.load(asked)).executionTimeMs,
    }),
    latenessMs: t.field({
      type: Percentiles,
      nullable: true,
      description: 'How the `latenessMs` of those that served a slot spread; null where none did.',
      resolve: async (asked, _args, { metricsLoaders }) =>
        (await metricsLoaders.percentiles.load(asked)).latenessMs,
    }),
    retries: t.int({
      description: 'Attempts that the retry policy granted; each counts when the one before it failed.',
      resolve: async (asked, _args, context) => countAsInt((await totalsOf(asked, context)).retries),
    }),
    lastSuccessAt: t.field({
      type: 'DateTime',
      nullable: true,
      description: 'When an execution last ended as SUCCESS, whatever the window; null where none has.',
      resolve: async ({ jobId }, _args, { metricsLoaders }) =>
        (await metricsLoaders.lastEnds.load(jobId)).lastSuccessAt,
    }),
    lastFailureAt: t.field({
      type: 'DateTime',
      nullable: true,
      description: 'When an execution last ended as FAILED, whatever the window; null where none has.',
      resolve: async ({ jobId }, _args, { metricsLoaders }) =>
        (await metricsLoaders.lastEnds.load(jobId)).lastFailureAt,
    }),
    series: t.field({
      extensions: listOf(25),
      type: [MetricsBucket],
      description: 'Counts in equal buckets over the window, oldest first, empty ones included.',
      resolve: async (asked, _args, { metricsLoaders }) => seriesOf(await metricsLoaders.counts.load(asked)),
    }),
  }),
});

async function totalsOf(asked: AskedMetrics, { metricsLoaders }: GraphqlContext): Promise<EndCounts> {
  return totalOf((await metricsLoaders.counts.load(asked)).counted);
}
