import type { SystemMetrics as SystemMetricsShape } from '../../../domain/metrics/metrics.ts';
import { averageMs, endedCount, successRate } from '../../../domain/metrics/metrics-series.ts';
import { builder } from '../../builder.ts';
import { needs } from '../../roles.ts';
import { readWholeNumber } from '../../whole-number.ts';
import { BAD_ARGUMENT } from '../shared/error-texts.ts';
import { countAsInt, Percentiles } from './metrics.ts';

const MIN_INTERVAL_MS = 250;
const MAX_INTERVAL_MS = 60_000;
const DEFAULT_INTERVAL_MS = 1_000;

const CurrentLoad = builder.objectRef<SystemMetricsShape['load']>('CurrentLoad').implement({
  description: 'Executions that are not finished.',
  fields: (t) => ({
    pendingExecutions: t.exposeInt('pending', { description: 'PENDING: they wait for their first attempt.' }),
    runningExecutions: t.exposeInt('running', { description: 'RUNNING.' }),
    retryingExecutions: t.exposeInt('retrying', {
      description: 'RETRYING: they wait for their next attempt.',
    }),
    blockedExecutions: t.exposeInt('blocked', {
      description: 'BLOCKED: they wait for others of their job to finish.',
    }),
  }),
});

const SystemMetrics = builder.objectRef<SystemMetricsShape>('SystemMetrics').implement({
  description:
    'Figures of all jobs together, deleted ones’ executions included, whether they are still kept or not. The last 24 hours are those of `LAST_24H`: the last 24 full hours and the one that is running.',
  fields: (t) => ({
    totalJobs: t.int({ description: 'Jobs that are not deleted.', resolve: ({ jobs }) => jobs.total }),
    activeJobs: t.int({ description: 'Jobs that are ACTIVE.', resolve: ({ jobs }) => jobs.active }),
    pausedJobs: t.int({ description: 'Jobs that are PAUSED.', resolve: ({ jobs }) => jobs.paused }),
    totalExecutions: t.int({
      description:
        'Executions that have ever ended, as SUCCESS, FAILED, CANCELLED or SKIPPED; those that have not are in `currentLoad`.',
      resolve: ({ allTime }) => countAsInt(endedCount(allTime)),
    }),
    successRate: t.float({
      nullable: true,
      description:
        'SUCCESS against SUCCESS plus FAILED of all that have ever ended, in percent; null before the first one.',
      resolve: ({ allTime }) => successRate(allTime),
    }),
    avgExecutionTimeMs: t.float({
      nullable: true,
      description: 'Mean `durationMs` of all that have ever succeeded or failed; null before the first one.',
      resolve: ({ allTime }) => averageMs(allTime),
    }),
    executionsLast24h: t.int({
      description: 'Executions that ended within the last 24 hours.',
      resolve: ({ lastDay }) => countAsInt(endedCount(lastDay)),
    }),
    failedExecutionsLast24h: t.int({
      description: 'Executions that ended as FAILED within the last 24 hours.',
      resolve: ({ lastDay }) => countAsInt(lastDay.failed),
    }),
    currentLoad: t.expose('load', { type: CurrentLoad, description: 'Executions that are not finished.' }),
    executionTimeMs: t.expose('executionTimeMs', {
      type: Percentiles,
      nullable: true,
      description:
        'How the `durationMs` of those spread that succeeded or failed within the last 24 hours; null where none did.',
    }),
    latenessMs: t.expose('latenessMs', {
      type: Percentiles,
      nullable: true,
      description:
        'How the `latenessMs` of those spread that served a slot and ended within the last 24 hours; null where none did.',
    }),
    deadLetters: t.exposeInt('openDeadLetters', {
      description: 'FAILED executions that nobody has redriven or discarded.',
    }),
  }),
});

builder.queryField('systemMetrics', (t) =>
  t.field({
    authScopes: needs('VIEWER'),
    type: SystemMetrics,
    description: 'Figures of all jobs together, as they are now.',
    resolve: (_root, _args, { metrics }) => metrics.system(),
  }),
);

builder.subscriptionField('systemMetrics', (t) =>
  t.field({
    authScopes: needs('VIEWER'),
    type: SystemMetrics,
    description: `Figures of all jobs together, at once and then every \`intervalMs\`. Whoever reads slower than that gets the latest and misses those before it. ${BAD_ARGUMENT}.`,
    args: {
      intervalMs: t.arg.int({
        defaultValue: DEFAULT_INTERVAL_MS,
        description: `Milliseconds from one to the next, ${MIN_INTERVAL_MS} to ${MAX_INTERVAL_MS}.`,
      }),
    },
    subscribe: (_root, { intervalMs }, { systemMetrics }) =>
      systemMetrics.follow(
        readWholeNumber('intervalMs', intervalMs, {
          min: MIN_INTERVAL_MS,
          max: MAX_INTERVAL_MS,
          fallback: DEFAULT_INTERVAL_MS,
        }),
      ),
    resolve: (metrics) => metrics,
  }),
);
