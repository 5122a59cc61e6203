import type { SystemMetrics } from '../../domain/metrics/metrics.ts';
import type { Percentiles } from '../../domain/metrics/sketch.ts';

/** One value of a metric, with what tells it from the others of its name. */
interface Sample {
  /** Behind the metric's name, as `_sum` and `_count` are; empty for the name itself. */
  suffix?: '_sum' | '_count';
  labels?: Readonly<Record<string, string>>;
  value: number;
}

interface Metric {
  name: string;
  type: 'counter' | 'gauge' | 'summary';
  help: string;
  samples: readonly Sample[];
}

/** The figures of the system in Prometheus' text format, version 0.0.4. Times are in seconds, as is usual there. */
export function prometheusText(metrics: SystemMetrics, version: string): string {
  return metricsOf(metrics, version)
    .map(({ name, type, help, samples }) =>
      [
        `# HELP ${name} ${help}`,
        `# TYPE ${name} ${type}`,
        ...samples.map(
          ({ suffix = '', labels = {}, value }) => `${name}${suffix}${labelText(labels)} ${value}`,
        ),
        '',
      ].join('\n'),
    )
    .join('');
}

function metricsOf({ jobs, allTime, load, ...rest }: SystemMetrics, version: string): Metric[] {
  return [
    {
      name: 'job_scheduler_info',
      type: 'gauge',
      help: 'Version of the instance that answers.',
      samples: [{ labels: { version }, value: 1 }],
    },
    {
      name: 'job_scheduler_jobs',
      type: 'gauge',
      help: 'Jobs that are not deleted, by status.',
      samples: byStatus({
        active: jobs.active,
        paused: jobs.paused,
        completed: jobs.total - jobs.active - jobs.paused,
      }),
    },
    {
      name: 'job_scheduler_executions_total',
      type: 'counter',
      help: 'Executions that have ended, by how they did.',
      samples: byStatus({
        success: allTime.success,
        failed: allTime.failed,
        cancelled: allTime.cancelled,
        skipped: allTime.skipped,
      }),
    },
    {
      name: 'job_scheduler_retries_total',
      type: 'counter',
      help: 'Attempts that a retry policy granted.',
      samples: [{ value: allTime.retries }],
    },
    {
      name: 'job_scheduler_executions_unfinished',
      type: 'gauge',
      help: 'Executions that are not finished, by status.',
      samples: byStatus({ ...load }),
    },
    {
      name: 'job_scheduler_execution_duration_seconds',
      type: 'summary',
      help: 'From start to end of executions that succeeded or failed; the quantiles over the last 24 hours.',
      samples: [
        ...quantiles(rest.executionTimeMs),
        { suffix: '_sum', value: allTime.durationSumMs / 1_000 },
        { suffix: '_count', value: allTime.success + allTime.failed },
      ],
    },
    {
      name: 'job_scheduler_lateness_seconds',
      type: 'summary',
      help: 'From slot to start of executions that ended within the last 24 hours.',
      samples: quantiles(rest.latenessMs),
    },
    {
      name: 'job_scheduler_dead_letters',
      type: 'gauge',
      help: 'Failed executions that nobody has redriven or discarded.',
      samples: [{ value: rest.openDeadLetters }],
    },
  ];
}

function byStatus(counts: Readonly<Record<string, number>>): Sample[] {
  return Object.entries(counts).map(([status, value]) => ({ labels: { status }, value }));
}

function quantiles(percentiles: Percentiles | null): Sample[] {
  if (percentiles === null) return [];
  const { p50, p95, p99, max } = percentiles;
  return Object.entries({ '0.5': p50, '0.95': p95, '0.99': p99, '1': max }).map(([quantile, ms]) => ({
    labels: { quantile },
    value: ms / 1_000,
  }));
}

function labelText(labels: Readonly<Record<string, string>>): string {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}="${escaped(value)}"`);
  return pairs.length === 0 ? '' : `{${pairs.join(',')}}`;
}

function escaped(value: string): string {
  return value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n');
}
